package bench

import (
	"context"
	"sync"
	"time"
)

const (
	// watcherBuffer takes a whole batch in one read; readerBuffer two TLS
	// records.
	watcherBuffer = 256 << 10
	readerBuffer  = 32 << 10
	// batchPause separates two batches, in microseconds: what one write of the
	// server brings arrives in pieces, but with shorter pauses.
	batchPause = 1000
)

// readers are players of a goroutine each, which wakes on each event.
type readers struct {
	run     *run
	tally   *tally
	buffer  int
	batches bool
	running sync.WaitGroup
}

func (r *run) newReaders(t *tally, buffer int, batches bool) *readers {
	return &readers{run: r, tally: t, buffer: buffer, batches: batches}
}

// join has a seat taken until ctx ends.
func (g *readers) join(ctx context.Context, s *seat) {
	g.running.Go(func() {
		for {
			err := g.session(ctx, s)
			if ctx.Err() != nil {
				return
			}
			pause, again := g.run.roster.lose(s, err)
			if !again || !wait(ctx, pause) {
				return
			}
		}
	})
}

// wait reports whether d passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// session plays over one connection until that ends.
func (g *readers) session(ctx context.Context, s *seat) error {
	s.opened = g.run.clock.now()
	conn, err := g.run.dial(ctx, s.target)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(g.run.joinTimeout)); err != nil {
		return err
	}
	out := s.start(nil)
	buf := make([]byte, g.buffer)
	var last int64
	for {
		if len(out) > 0 {
			if _, err := conn.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		now := g.run.clock.now()
		if out, err = g.feed(now, now-last, s, buf[:n], out); err != nil {
			return err
		}
		last = now
		if !s.joined || s.seen {
			continue
		}
		g.run.roster.join(s, now)
		if s.stalled {
			<-ctx.Done()
			return ctx.Err()
		}
		if err := conn.SetDeadline(time.Time{}); err != nil {
			return err
		}
	}
}

func (g *readers) feed(now, pause int64, s *seat, in, out []byte) ([]byte, error) {
	t := g.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	if g.batches && t.window.contains(now) {
		t.batch(int64(len(in)), pause, pause >= batchPause)
	}
	return s.feed(now, in, out, t)
}

// leave waits until all are gone, after ctx ended.
func (g *readers) leave() { g.running.Wait() }
