package logs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// output is what a log is written to.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	// gate, if there is one, has each write wait for a value.
	gate chan struct{}
	// broken has writes fail after taking part of them.
	broken bool
	part   int
}

func (o *output) Write(p []byte) (int, error) {
	if o.gate != nil {
		<-o.gate
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken {
		n, _ := o.text.Write(p[:min(o.part, len(p))])
		return n, errors.New("no space left on device")
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) setBroken(broken bool, part int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken, o.part = broken, part
}

func notice(lost uint64) []byte { return fmt.Appendf(nil, "(%d lost)\n", lost) }

func write(t *testing.T, q *Queue, line string) {
	t.Helper()
	if n, err := q.Write([]byte(line)); n != len(line) || err != nil {
		t.Errorf("Write returned %d, %v", n, err)
	}
}

func TestLinesKeepTheirOrder(t *testing.T) {
	var out output
	q := NewQueue(&out, notice)
	var want strings.Builder
	buffer := make([]byte, 0, 32)
	for i := range 1000 {
		buffer = fmt.Appendf(buffer[:0], "line %d\n", i) // the caller's memory, used again
		write(t, q, string(buffer))
		want.Write(buffer)
	}
	write(t, q, "")
	if !q.Close() {
		t.Error("not everything was written")
	}
	if out.String() != want.String() {
		t.Error("the lines are not what was written")
	}
	write(t, q, "late\n")
	if !q.Close() || q.Dropped() != 1 {
		t.Errorf("%d lines dropped after the end, want 1", q.Dropped())
	}
}

func TestAStuckOutputHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := output{gate: make(chan struct{})}
		q := NewQueue(&out, notice)
		write(t, q, "first\n")
		synctest.Wait() // it is being written
		for i := range maxLines + 7 {
			write(t, q, fmt.Sprintf("line %d\n", i))
		}
		if q.Dropped() != 7 {
			t.Errorf("%d lines dropped, want 7", q.Dropped())
		}
		start := time.Now()
		if q.Close() || time.Since(start) != flushTimeout {
			t.Errorf("Close waited for %v", time.Since(start))
		}
		close(out.gate)
		if !q.Close() {
			t.Error("the output takes everything, and yet something is left")
		}
		if got, want := out.String(), "first\n(7 lost)\nline 0\nline 1\n"; !strings.HasPrefix(got, want) {
			t.Errorf("the log begins with %q, want %q", got[:len(want)], want)
		}
		if last := fmt.Sprintf("line %d\n", maxLines-1); !strings.HasSuffix(out.String(), last) {
			t.Errorf("the log does not end with %q", last)
		}
	})
}

func TestTheQueueIsBoundInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := output{gate: make(chan struct{})}
		q := NewQueue(&out, notice)
		for range 10 {
			write(t, q, strings.Repeat("x", maxBytes/4))
		}
		if dropped := q.Dropped(); dropped < 5 {
			t.Errorf("%d lines dropped of ten of a quarter of the bound each", dropped)
		}
		close(out.gate)
		q.Close()
	})
}

func TestLossesOfABrokenOutputAreTold(t *testing.T) {
	for name, test := range map[string]struct {
		part int
		want string
	}{
		"whole lines": {0, "before\n(3 lost)\nafter\n"},
		"torn lines":  {2, "before\nlo\n(3 lost)\nafter\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out output
				q := NewQueue(&out, notice)
				write(t, q, "before\n")
				synctest.Wait()
				out.setBroken(true, test.part)
				write(t, q, "lost\n")
				synctest.Wait()
				out.setBroken(true, 0)
				write(t, q, "lost\n")
				write(t, q, "lost\n")
				synctest.Wait()
				out.setBroken(false, 0)
				write(t, q, "after\n")
				q.Close()
				if out.String() != test.want || q.Dropped() != 3 {
					t.Errorf("the log is %q with %d dropped, want %q with 3", out.String(), q.Dropped(), test.want)
				}
			})
		})
	}
}

func TestLossesAreToldAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out output
		out.setBroken(true, 0)
		q := NewQueue(&out, notice)
		write(t, q, "lost\n")
		synctest.Wait()
		out.setBroken(false, 0)
		q.Close()
		if out.String() != "(1 lost)\n" {
			t.Errorf("the log is %q", out.String())
		}
	})
}

func BenchmarkQueue(b *testing.B) {
	var out discard
	q := NewQueue(out, notice)
	defer q.Close()
	line := []byte(strings.Repeat("x", 200))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = q.Write(line)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
