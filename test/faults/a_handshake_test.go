package faults

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// What the server promises newcomers, with room for a busy machine.
const (
	handshakeLimit = 5 * time.Second
	acceptLimit    = 10 * time.Second
	late           = 2 * time.Second
)

// host returns the nth address of the loopback network that attacks come from.
func host(n int) string { return fmt.Sprintf("127.1.%d.%d", n/250, 1+n%250) }

// crowd runs n visitors at a time, and waits for them.
func crowd(n int, visit func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { visit(i) })
	}
	all.Wait()
}

// lifetimes are how long the server let connections live.
type lifetimes struct {
	mu                sync.Mutex
	shortest, longest time.Duration
	n                 int
}

func (l *lifetimes) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == 0 || d < l.shortest {
		l.shortest = d
	}
	l.longest = max(l.longest, d)
	l.n++
}

func (l *lifetimes) check(f *fault, n int, limit time.Duration) {
	f.Helper()
	f.figure("closed", fmt.Sprintf("%d after %.1f to %.1f s", l.n, l.shortest.Seconds(), l.longest.Seconds()))
	if l.n != n || l.longest > limit+late {
		f.Errorf("%d of %d were closed, the last after %v, want %v", l.n, n, l.longest, limit)
	}
}

// joinsAtOnce wants a newcomer to be served while the fault lasts.
func (f *fault) joinsAtOnce() {
	f.Helper()
	start := time.Now()
	c, err := dial(f, canaryHost, f.server.Addr, nil)
	if err == nil {
		err = c.Start(stage.CanaryChannel, "key", stage.Watching)
	}
	if err != nil {
		f.Errorf("nobody can join: %v", err)
		return
	}
	f.figure("join meanwhile", time.Since(start).Round(time.Millisecond))
	_ = c.Conn.Close()
}

// A1: internal/server has the exact deadline, in virtual time.
func TestHandshakesByTheByteEndAtTheirDeadline(t *testing.T) {
	t.Parallel()
	f := begin(t, "A1")
	n := f.scale(100, 500)
	var lives lifetimes
	f.figure("sockets", n)
	var joined sync.Once
	crowd(n, func(i int) {
		r, err := f.connect(host(i/4), f.server.Addr)
		if err != nil {
			f.Error(err)
			return
		}
		start := time.Now()
		for b := byte(3); ; b = 0 {
			if _, err := r.Write([]byte{b}); err != nil {
				break
			}
			if _, ok := r.outlived(time.Second); ok {
				break
			}
			joined.Do(f.joinsAtOnce)
			if time.Since(start) > handshakeLimit+2*late {
				return
			}
		}
		lives.add(time.Since(start))
	})
	lives.check(f, n, handshakeLimit)
}

func TestConnectionsWithoutAPurposeEndAtTheirDeadline(t *testing.T) {
	t.Parallel()
	f := begin(t, "A2")
	n := f.scale(60, 500)
	f.figure("sockets", n)
	var lives lifetimes
	crowd(n, func(i int) {
		r, err := f.connect(host(i/4), f.server.Addr)
		if err == nil {
			err = r.handshake()
		}
		if err != nil {
			f.Error(err)
			return
		}
		start := time.Now()
		for time.Since(start) < acceptLimit+2*late {
			if i%2 == 0 { // the others say nothing at all
				_, _ = r.Write(whole(2, rtmp.TypeAcknowledgement, 0, 0, 0, 0, 1))
			}
			if _, ok := r.outlived(3 * time.Second); ok {
				lives.add(time.Since(start))
				return
			}
		}
	})
	lives.check(f, n, acceptLimit)
}
