package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/hook"
)

// verdict is how the authorizer treats one client.
type verdict struct {
	delay time.Duration
	// stubborn has it answer after the delay even if nobody waits any more.
	stubborn bool
	fails    bool
}

func newVerdict(r *rand.Rand) verdict {
	v := verdict{fails: r.IntN(15) == 0}
	if r.IntN(3) == 0 {
		v.delay, v.stubborn = between(r, time.Millisecond, 3*time.Second), r.IntN(2) == 0
	}
	if r.IntN(25) == 0 {
		v.delay = between(r, 8*time.Second, 14*time.Second) // around the server's patience
	}
	return v
}

func (v verdict) String() string {
	return fmt.Sprintf("delay=%v stubborn=%t fails=%t", v.delay, v.stubborn, v.fails)
}

var (
	errBackend  = errors.New("the backend failed")
	errWrongKey = errors.New("the backend does not know the key")
)

// authorizer stands between the server and the backend, or instead of it. It keeps
// the books: every start that is accepted has to be followed by exactly one stop.
type authorizer struct {
	violate func(format string, args ...any)
	// hook asks a backend; nil if the authorizer has to judge by itself.
	hook *hook.Hook

	mu       sync.Mutex // guards what follows
	verdicts map[netip.Addr]verdict
	// dead says that the process is gone: nobody hears of it any more.
	dead bool
	// past are the ids of all that was ever started.
	past    []string
	starts  int
	running map[string]access.Request
	// stopped is when a channel was last stopped.
	stopped map[string]time.Time
}

func newAuthorizer(violate func(string, ...any)) *authorizer {
	return &authorizer{
		violate: violate, verdicts: make(map[netip.Addr]verdict),
		running: make(map[string]access.Request), stopped: make(map[string]time.Time),
	}
}

func (a *authorizer) prepare(client netip.Addr, v verdict) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.verdicts[client] = v
}

// Start implements server.Authorizer.
func (a *authorizer) Start(ctx context.Context, r access.Request) (string, error) {
	id, err := a.judge(ctx, r)
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.past = append(a.past, id)
	if _, twice := a.running[id]; twice {
		a.violate("id %s was issued twice", id)
	}
	a.running[id] = r
	return id, nil
}

func (a *authorizer) verdict(client netip.Addr) verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.verdicts[client]
}

// judge returns the id of a start that is accepted.
func (a *authorizer) judge(ctx context.Context, r access.Request) (string, error) {
	if a.hook != nil {
		return a.hook.Start(ctx, r)
	}
	v := a.verdict(r.Client)
	if v.stubborn {
		ctx = context.Background()
	}
	select {
	case <-time.After(v.delay):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	switch {
	case v.fails:
		return "", errBackend
	case r.Key == "wrong":
		return "", errWrongKey
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.starts++
	return fmt.Sprintf("start-%d", a.starts), nil
}

// Stop implements server.Authorizer.
func (a *authorizer) Stop(r access.Request, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dead {
		return
	}
	if started, ok := a.running[id]; !ok || started != r {
		a.violate("stop of %s for %v, which is not running", id, r)
	}
	delete(a.running, id)
	a.stopped[r.Channel] = time.Now()
	if a.hook != nil {
		a.hook.Stop(r, id)
	}
}

// crash has the authorizer die with its process, and returns the one of the next:
// what ran is over.
func (a *authorizer) crash() *authorizer {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dead = true
	next := newAuthorizer(a.violate)
	next.verdicts, next.starts, next.past = a.verdicts, a.starts, a.past
	for channel := range a.stopped {
		next.stopped[channel] = time.Now()
	}
	return next
}

// runs reports whether a start has not been stopped.
func (a *authorizer) runs(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.running[id]
	return ok
}

// onChannel returns the ids that were started on a channel and not stopped.
func (a *authorizer) onChannel(channel string) (ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, r := range a.running {
		if r.Channel == channel {
			ids = append(ids, id)
		}
	}
	return ids
}

// quiet returns for how long nobody has had a channel.
func (a *authorizer) quiet(channel string) time.Duration {
	running := a.onChannel(channel)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(running) > 0 {
		return 0
	}
	return time.Since(a.stopped[channel])
}

// client returns the address of who publishes a channel under an id.
func (a *authorizer) client(id, channel string) (address string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.running[id]
	return r.Client.String(), ok && r.Channel == channel
}

// pastIDs returns the ids that have been stopped.
func (a *authorizer) pastIDs() (ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range a.past {
		if _, runs := a.running[id]; !runs {
			ids = append(ids, id)
		}
	}
	return ids
}
