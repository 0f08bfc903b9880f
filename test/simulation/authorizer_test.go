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

// authorizer stands in for the backend. It keeps the books: every start that it
// accepts has to be followed by exactly one stop.
type authorizer struct {
	violate func(format string, args ...any)

	mu       sync.Mutex // guards what follows
	verdicts map[netip.Addr]verdict
	starts   int
	running  map[string]access.Request
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
	a.mu.Lock()
	v := a.verdicts[r.Client]
	a.mu.Unlock()
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
	id := fmt.Sprintf("start-%d", a.starts)
	a.running[id] = r
	return id, nil
}

// Stop implements server.Authorizer.
func (a *authorizer) Stop(r access.Request, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if started, ok := a.running[id]; !ok || started != r {
		a.violate("stop of %s for %v, which is not running", id, r)
	}
	delete(a.running, id)
	a.stopped[r.Channel] = time.Now()
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
