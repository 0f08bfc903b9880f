package coordinator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
)

const (
	// heartbeatEvery is the pace that the coordinator expects.
	heartbeatEvery = 20 * time.Second
	// pingEvery and pongTimeout find a coordinator that is gone without a word;
	// it need not say anything by itself.
	pingEvery   = 20 * time.Second
	pongTimeout = 10 * time.Second
	// writeTimeout stops a coordinator that does not read from holding the
	// connection.
	writeTimeout = 5 * time.Second
	// farewellTimeout is what a stop has for the last ends and their
	// confirmation.
	farewellTimeout = 2 * time.Second
	// maxLogged bounds text of the coordinator in the log.
	maxLogged = 256
)

var errFarewell = errors.New("server stops")

// link is one connection.
type link struct {
	*Coordinator
	ws *websocket.Conn
	// ctx is that of the connection; cut ends it.
	ctx context.Context
	cut context.CancelCauseFunc
}

// converse uses a connection until it breaks or stop ends.
func (c *Coordinator) converse(stop context.Context, ws *websocket.Conn) error {
	ctx, cut := context.WithCancelCause(context.WithoutCancel(stop))
	l := &link{c, ws, ctx, cut}
	var wg sync.WaitGroup
	wg.Go(func() { cut(l.read()) })
	wg.Go(func() { cut(l.ping()) })
	wg.Go(func() { l.hurry(stop) })
	c.setConnected(true)
	err := l.write(stop)
	c.setConnected(false)
	if stop.Err() != nil && ctx.Err() == nil {
		l.farewell()
	}
	cut(err)
	_ = ws.CloseNow()
	wg.Wait()
	return context.Cause(ctx)
}

func (c *Coordinator) setConnected(connected bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected = connected
	if connected {
		c.ends.rewind()
		return
	}
	c.requests.failAll(ErrDisconnected)
}

// write is the only one that sends frames. It returns when stop ends or a write
// fails.
func (l *link) write(stop context.Context) error {
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	for {
		if err := l.flush(); err != nil {
			return err
		}
		select {
		case <-l.wake:
		case <-heartbeat.C:
			if err := l.send(frame{method: methodHeartbeat}.String()); err != nil {
				return err
			}
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		case <-stop.Done():
			return errFarewell
		}
	}
}

// flush sends all that waits.
func (l *link) flush() error {
	for {
		text, wrote, ok := l.next()
		if !ok {
			return nil
		}
		if err := l.send(text); err != nil {
			return err
		}
		wrote()
	}
}

func (l *link) send(text string) error {
	ctx, cancel := context.WithTimeout(l.ctx, writeTimeout)
	defer cancel()
	return l.ws.Write(ctx, websocket.MessageText, []byte(text))
}

// ping returns when the coordinator does not answer one.
func (l *link) ping() error {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		case <-ticker.C:
			if err := l.confirm(); err != nil {
				return err
			}
		}
	}
}

// confirm waits for a pong. Messages are read in order, so what was written
// before the ping has been read by then.
func (l *link) confirm() error {
	l.mu.Lock()
	written := l.ends.written
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(l.ctx, pongTimeout)
	defer cancel()
	if err := l.ws.Ping(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends.drop(written)
	return nil
}

// hurry ends the connection when a stop takes too long, also in the middle of a
// write.
func (l *link) hurry(stop context.Context) {
	select {
	case <-stop.Done():
	case <-l.ctx.Done():
		return
	}
	select {
	case <-time.After(farewellTimeout):
		l.cut(errFarewell)
	case <-l.ctx.Done():
	}
}

// farewell sends the last ends and closes the connection.
func (l *link) farewell() {
	if l.flush() == nil && l.confirm() == nil {
		_ = l.ws.Close(websocket.StatusGoingAway, "")
	}
}

// read carries out what the coordinator sends, until the connection breaks.
func (l *link) read() error {
	for {
		kind, text, err := l.ws.Read(l.ctx)
		if err != nil {
			return err
		}
		if kind == websocket.MessageText {
			l.handle(parseFrame(string(text)))
		}
	}
}

// handle carries one message out. A panic costs that message only.
func (l *link) handle(f frame) {
	defer func() {
		if p := recover(); p != nil {
			l.options.Panics.Caught(l.options.Log, p, "method", l.presentable(f.method))
		}
	}()
	switch strings.ToUpper(f.method) {
	case methodAccept:
		l.accepted(f.get(fieldRequest), f.get(fieldStream))
	case methodDeny:
		l.resolve(f.get(fieldRequest), answer{err: ErrDenied})
	case methodKill:
		l.kill(f.get(fieldChannel), f.get(fieldStream))
	case methodHeartbeat:
	case methodError:
		if l.noise.Allow() {
			l.options.Log.Warn("error from the coordinator", "text", l.presentable(f.String()))
		}
	default:
		if l.noise.Allow() {
			l.options.Log.Debug("unknown message from the coordinator", "method", l.presentable(f.method))
		}
	}
}

func (l *link) accepted(request, streamID string) {
	if !streamIDs.MatchString(streamID) {
		err := fmt.Errorf("%w: %q", ErrStreamID, l.presentable(streamID))
		l.resolve(request, answer{err: err})
		return
	}
	l.resolve(request, answer{streamID: streamID})
}

// kill closes one stream of a channel, or with "*" all of its sessions.
func (l *link) kill(channel, streamID string) {
	faultinject.At(faultinject.Order, channel)
	log := l.options.Log.With("channel", l.presentable(channel))
	switch {
	case channel == "" || streamID == "":
		if l.noise.Allow() {
			log.Warn("STREAM-KILL without channel or stream")
		}
	case streamID == "*":
		log.Info("kill from the coordinator", "sessions", l.options.Target.KillSession(channel))
	default:
		found := l.options.Target.CloseStream(channel, streamID)
		log.Info("kill from the coordinator", "stream_id", l.presentable(streamID), "found", found)
	}
}

// presentable returns text of the coordinator's making as it may be logged: cut,
// with secrets struck out that it may be echoing. The log handler quotes it.
func (c *Coordinator) presentable(text string) string {
	conceal := func(secret string) {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	conceal(c.token)
	conceal(c.options.Secret)
	c.mu.Lock()
	for _, r := range c.requests.waiting {
		conceal(r.Key)
	}
	for _, key := range c.requests.told {
		conceal(key)
	}
	c.mu.Unlock()
	if len(text) > maxLogged {
		text = strings.ToValidUTF8(text[:maxLogged], "") + "…"
	}
	return text
}
