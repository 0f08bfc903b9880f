package coordinator

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

// startTimeout bounds the wait for an answer.
const startTimeout = 5 * time.Second

// Why [Coordinator.Start] refuses.
var (
	ErrDenied       = access.Denied(errors.New("the coordinator denied it"))
	ErrDisconnected = errors.New("no connection to the coordinator")
	ErrTimeout      = errors.New("no answer from the coordinator in time")
	ErrBusy         = errors.New("too many requests wait for the coordinator")
	ErrStreamID     = errors.New("the coordinator accepted without a usable stream id")
)

var errLineBreak = errors.New("line break in channel or key")

// streamIDs are those that can go into frames, URLs and file names.
var streamIDs = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// Start asks the coordinator whether a client may publish, and returns the id
// of the stream if so. It waits for 5 s at most, and returns early when ctx
// ends or the connection is lost. An acceptance that comes later than that is
// answered by the end of its stream.
func (c *Coordinator) Start(ctx context.Context, r access.Request) (streamID string, err error) {
	if strings.ContainsAny(r.Channel+r.Key, "\r\n") {
		return "", errLineBreak
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, ErrTimeout)
	defer cancel()
	pending, err := c.request(r)
	if err != nil {
		return "", err
	}
	select {
	case a := <-pending.answer:
		return a.streamID, a.err
	case <-ctx.Done():
	}
	if !c.giveUp(pending) {
		a := <-pending.answer // it came just now
		return a.streamID, a.err
	}
	return "", fmt.Errorf("ask the coordinator: %w", context.Cause(ctx))
}

func (c *Coordinator) request(r access.Request) (*request, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.connected {
		return nil, ErrDisconnected
	}
	added, err := c.requests.add(r)
	if err == nil {
		c.wakeWriter()
	}
	return added, err
}

func (c *Coordinator) giveUp(r *request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests.giveUp(r)
}

// Stop reports the end of a stream that Start returned. It does not block: the
// coordinator hears of it once it can be reached.
func (c *Coordinator) Stop(r access.Request, streamID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends.push(end{r.Channel, streamID})
	c.wakeWriter()
}

// resolve hands the coordinator's answer to whoever waits for it. A stream that
// was accepted for nobody is ended.
func (c *Coordinator) resolve(id string, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	channel := c.requests.resolve(id, a)
	if channel != "" && a.err == nil {
		c.ends.push(end{channel, a.streamID})
		c.wakeWriter()
	}
}

// wakeWriter makes the writer look at the queues. c.mu is held.
func (c *Coordinator) wakeWriter() {
	select {
	case c.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// next returns the text to send next, and what to do when it was written. Ends
// go first: whoever publishes again at once does so after his end.
func (c *Coordinator) next() (text string, wrote func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, number, ok := c.ends.next(); ok {
		return e.frame().String(), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.ends.wrote(number)
		}, true
	}
	if r := c.requests.next(); r != nil {
		return r.frame().String(), func() {}, true
	}
	return "", nil, false
}
