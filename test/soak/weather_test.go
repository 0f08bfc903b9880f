package soak

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// certificateComplaint is what the server may log at level ERROR: it can find the new
// certificate beside the old key.
const certificateComplaint = "new certificate not usable, the old one stays in use"

// How often the weather changes, on average.
const (
	ordersEvery      = 500 * time.Millisecond
	redisFailsEvery  = 25 * time.Second
	certificateEvery = 15 * time.Second
)

// weather is what happens to the server apart from visitors, until ctx ends. Each
// kind of it comes once at least.
func (s *soak) weather(ctx context.Context) {
	sometimes := func(n int, every time.Duration) bool {
		return n == 3 || s.random.IntN(int(every/ordersEvery)) == 0
	}
	for n := 0; stage.Pause(ctx, ordersEvery); n++ {
		switch {
		case sometimes(n, redisFailsEvery):
			s.redisFails(ctx)
		case sometimes(n-1, certificateEvery):
			s.renewCertificate()
		default:
			s.order(s.someOrders()...)
		}
	}
}

// someOrders are a few orders, and junk.
func (s *soak) someOrders() []string {
	channel := churnName(s.random.IntN(churnChannels))
	return []string{
		"kill-session>" + channel,
		"close-stream>" + churnName(s.random.IntN(churnChannels)) + "|id-" + fmt.Sprint(s.random.IntN(100)),
		"request-reconnect>" + churnName(s.random.IntN(churnChannels)),
		"kill-session>nobody-ever", "kill-session", "", strings.Repeat("x", 1+s.random.IntN(5000)), "close-stream>\x00|\xff",
	}
}

// order publishes messages on the channel of the commands, whether anybody hears
// them or not.
func (s *soak) order(messages ...string) {
	conn, err := net.DialTimeout("tcp", s.redis.Addr(), stage.Soon)
	if err != nil {
		s.Errorf("redis: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(2 * stage.Soon))
	in := bufio.NewReader(conn)
	for _, m := range messages {
		_, err := fmt.Fprintf(conn, "*3\r\n$7\r\nPUBLISH\r\n$13\r\nrtmp_commands\r\n$%d\r\n%s\r\n", len(m), m)
		if err == nil {
			_, err = in.ReadString('\n')
		}
		if err != nil {
			s.Errorf("redis: %v", err)
			return
		}
		s.book.happened("orders and junk by Redis")
	}
}

// redisFails kills Redis, or freezes it for a while.
func (s *soak) redisFails(ctx context.Context) {
	if s.random.IntN(3) == 0 {
		s.book.happened("Redis frozen")
		s.redis.Signal(syscall.SIGSTOP)
		stage.Pause(ctx, time.Second)
		s.redis.Signal(syscall.SIGCONT)
		return
	}
	s.book.happened("Redis killed")
	s.redis.End(syscall.SIGKILL)
	stage.Pause(ctx, time.Duration(s.random.IntN(1000))*time.Millisecond)
	s.redis.Start()
}

// renewCertificate puts a new certificate in the place of the old one, with a new key
// or the same.
func (s *soak) renewCertificate() {
	s.book.happened("certificates renewed")
	if s.random.IntN(2) == 0 {
		s.pair.Key = stage.NewKey(s.T)
		s.replace(s.pair.KeyFile, stage.KeyText(s.T, s.pair.Key))
	}
	s.replace(s.pair.CertFile, s.issuer.Chain(s.T, s.pair.Key))
}

// replace puts text in the place of a file in one step.
func (s *soak) replace(path string, text []byte) {
	s.Helper()
	stage.WriteFile(s.T, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		s.Error(err)
	}
}
