package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// timing are the times of a connection to Redis.
type timing struct {
	// step bounds each step of connecting: reaching the host with the TLS
	// handshake, authentication, subscription; and each write. It stops hosts
	// that accept connections and then say nothing.
	step time.Duration
	// ping is how often Redis is asked for a sign of life.
	ping time.Duration
	// read is the longest silence. It stops a Redis that is frozen, or behind
	// a network that drops everything, from going unnoticed.
	read time.Duration
	// The pauses between attempts double from leastPause to mostPause, and
	// start anew after a subscription that held: it brought a message, or
	// stood for steady.
	leastPause, mostPause time.Duration
	steady                time.Duration
}

var defaultTiming = timing{
	step:       5 * time.Second,
	ping:       15 * time.Second,
	read:       20 * time.Second,
	leastPause: 100 * time.Millisecond,
	mostPause:  10 * time.Second,
	steady:     5 * time.Second,
}

// subscription is one connection to Redis. It never becomes another one: the
// client of go-redis, which would reconnect on its own and without pauses, is
// given this connection and no other.
type subscription struct {
	conn   net.Conn
	client *redis.Client
	pubsub *redis.PubSub

	unhook func() bool   // from the end of the context
	ended  chan struct{} // closed when that has closed conn
}

// subscribe connects, authenticates, subscribes and waits until Redis has
// confirmed it. The connection closes when ctx ends.
func (l *Listener) subscribe(ctx context.Context) (*subscription, error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	client := l.newClient(conn)
	s := &subscription{conn: conn, client: client, pubsub: client.Subscribe(ctx), ended: make(chan struct{})}
	s.unhook = context.AfterFunc(ctx, func() {
		defer close(s.ended)
		_ = conn.Close()
	})
	if err := s.confirm(ctx, l.options.Channel, l.timing.step); err != nil {
		s.close()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return s, nil
}

func (l *Listener) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timing.step)
	defer cancel()
	conn, err := l.dial(ctx, "tcp", l.options.Addr)
	if err != nil {
		return nil, err
	}
	return &guard{Conn: conn}, nil
}

// errUsed ends the attempts of go-redis to reconnect.
var errUsed = errors.New("a subscription has one connection only")

// newClient returns a client of one connection, without the features that
// would send commands of their own.
func (l *Listener) newClient(conn net.Conn) *redis.Client {
	var once sync.Once
	return redis.NewClient(&redis.Options{
		Addr:     l.options.Addr,
		Password: l.options.Password,
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			err := errUsed
			once.Do(func() { err = nil })
			return conn, err
		},
		Protocol:                 2, // all that guard lets through
		PoolSize:                 1,
		PipelinePoolSize:         -1,
		MaxRetries:               -1,
		ReadTimeout:              l.timing.step,
		WriteTimeout:             l.timing.step,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

func (s *subscription) confirm(ctx context.Context, channel string, timeout time.Duration) error {
	if err := s.pubsub.Subscribe(ctx, channel); err != nil {
		return hungUp(err)
	}
	reply, err := s.receive(ctx, timeout)
	if err != nil {
		return err
	}
	if r, ok := reply.(*redis.Subscription); !ok || r.Kind != "subscribe" || r.Channel != channel {
		return fmt.Errorf("%w: %T", errNotRedis, reply)
	}
	return nil
}

// receive returns the next thing that Redis sends: a *redis.Message,
// *redis.Pong or *redis.Subscription.
func (s *subscription) receive(ctx context.Context, timeout time.Duration) (reply any, err error) {
	// go-redis asserts the types of the values in a reply, and panics on a
	// peer that is no Redis.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errNotRedis, p)
		}
	}()
	reply, err = s.pubsub.ReceiveTimeout(ctx, timeout)
	return reply, hungUp(err)
}

// keepAlive pings until ctx ends or a ping cannot be sent, which ends the
// connection: receive says so.
func (s *subscription) keepAlive(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if s.pubsub.Ping(ctx) != nil {
				return
			}
		}
	}
}

func (s *subscription) close() {
	if !s.unhook() {
		<-s.ended
	}
	_ = s.conn.Close() // first, so that nothing below waits for a write
	_ = s.pubsub.Close()
	_ = s.client.Close()
}
