package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
)

const (
	// watchTicks is how many times within its limit the watch looks.
	watchTicks = 6
	// maxStacks bounds the stacks of all goroutines. With thousands of viewers
	// they would take hundreds of megabytes.
	maxStacks = 4 << 20
)

// StuckError says that parts of the server make no progress any more. Nothing but
// a new process helps.
type StuckError struct {
	Parts []string
	// Stacks are those of all goroutines, as far as they fit.
	Stacks []byte
}

func (e *StuckError) Error() string {
	return "no progress in " + strings.Join(e.Parts, ", ")
}

// probe finds out whether a part makes progress: pass returns at once if so, and
// otherwise when the part does again.
type probe struct {
	part string
	pass func()

	// passing is closed when pass has returned; it began at since.
	passing chan struct{}
	since   time.Time
}

// watch looks for parts that are stuck for longer than limit.
type watch struct {
	limit  time.Duration
	probes []*probe
}

// run returns an error when a part is stuck, and nil when ctx ends.
func (w *watch) run(ctx context.Context) error {
	every := w.limit / watchTicks
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	last := time.Now()
	w.look(last, false)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := time.Now()
		// A late tick means that the process was stopped, or its machine was
		// suspended: nothing could have made progress meanwhile.
		late := now.Sub(last) > 2*every
		last = now
		if stuck := w.look(now, late); len(stuck) > 0 {
			return &StuckError{stuck, stacks()}
		}
	}
}

// look begins anew what has come back, and returns the parts that have not for too
// long. If it is late they all have their time once more.
func (w *watch) look(now time.Time, late bool) (stuck []string) {
	for _, p := range w.probes {
		switch {
		case p.back():
			p.begin(now)
		case late:
			p.since = now
		case now.Sub(p.since) >= w.limit:
			stuck = append(stuck, fmt.Sprintf("%s for %v", p.part, now.Sub(p.since).Round(time.Second)))
		}
	}
	return stuck
}

func (p *probe) back() bool {
	select {
	case <-p.passing:
		return true
	default:
		return p.passing == nil
	}
}

func (p *probe) begin(now time.Time) {
	done := make(chan struct{})
	p.passing, p.since = done, now
	go func() {
		defer close(done)
		p.pass()
	}()
}

func stacks() []byte {
	buffer := make([]byte, maxStacks)
	return buffer[:runtime.Stack(buffer, true)]
}

// guarded returns what run returns, unless the watch finds the server stuck
// before: then run is left behind.
func (w *watch) guarded(ctx context.Context, run func() error) error {
	if w.limit == 0 {
		return run()
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx)) // a stop may get stuck, too
	defer stop()
	ended, stuck := make(chan error, 1), make(chan error, 1)
	go func() { ended <- run() }()
	go func() { stuck <- w.run(watching) }()
	select {
	case err := <-ended:
		stop()
		return errors.Join(err, <-stuck)
	case err := <-stuck:
		return err
	}
}
