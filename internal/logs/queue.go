package logs

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxLines and maxBytes bound what waits for the output. They keep the memory
	// of the process from going to a pipe that nobody reads, while peers cause lines.
	maxLines = 8192
	maxBytes = 8 << 20
	// flushTimeout is how long Close waits for the output to take what is left.
	flushTimeout = time.Second
)

// Queue is an io.Writer in front of an output that may be slow, stuck or broken: a
// full disk, a pipe that nobody reads. Write never waits and never fails. One
// goroutine writes, line after line; what does not fit is dropped and counted.
//
// The first line that can be written after a loss is preceded by one that tells how
// many are missing.
type Queue struct {
	out io.Writer
	// notice makes the line that tells of a loss.
	notice  func(lost uint64) []byte
	dropped atomic.Uint64

	wake chan struct{} // holds at most one
	done chan struct{} // closed when nothing is written any more

	mu     sync.Mutex // guards what follows, but no writing
	lines  [][]byte
	bytes  int
	closed bool

	// What follows belongs to the goroutine that writes.

	// told is how many of dropped the output knows of.
	told uint64
	// torn says that the output ends in the middle of a line.
	torn bool
}

// NewQueue returns a queue that ends with Close.
func NewQueue(out io.Writer, notice func(lost uint64) []byte) *Queue {
	q := &Queue{out: out, notice: notice, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

// Write queues one line; p is copied.
func (q *Queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if q.closed || len(q.lines) == maxLines || q.bytes+len(p) > maxBytes {
		q.dropped.Add(1)
		return len(p), nil
	}
	q.lines = append(q.lines, append([]byte(nil), p...))
	q.bytes += len(p)
	q.signal()
	return len(p), nil
}

// Dropped returns how many lines were lost so far.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

// Close has what is left written, for a second at most, and reports whether all of
// it was. Lines that come later are dropped. It may be called more than once.
func (q *Queue) Close() (flushed bool) {
	q.mu.Lock()
	q.closed = true
	q.signal()
	q.mu.Unlock()
	timer := time.NewTimer(flushTimeout)
	defer timer.Stop()
	select {
	case <-q.done:
		return true
	case <-timer.C:
		return false
	}
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *Queue) run() {
	defer close(q.done)
	for range q.wake {
		for {
			line, closed := q.next()
			if line == nil {
				if closed {
					q.tell()
					return
				}
				break
			}
			q.put(line)
		}
	}
}

// next takes the oldest line, nil if there is none.
func (q *Queue) next() (line []byte, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) == 0 {
		q.lines = nil // or the array would stay as large as it has ever been
		return nil, q.closed
	}
	line = q.lines[0]
	q.lines[0] = nil
	q.lines = q.lines[1:]
	q.bytes -= len(line)
	return line, false
}

// put writes a line, or counts it as lost.
func (q *Queue) put(line []byte) {
	if !q.tell() || !q.write(line) {
		q.dropped.Add(1)
	}
}

// tell writes how many lines were lost since the last time, and reports false if
// that cannot be written either.
func (q *Queue) tell() bool {
	dropped := q.dropped.Load()
	if dropped == q.told {
		return true
	}
	if !q.write(q.notice(dropped - q.told)) {
		return false
	}
	q.told = dropped
	return true
}

// write reports whether the output took the line. One that it took in part, as a
// disk does that fills up, must not run into the next.
func (q *Queue) write(line []byte) bool {
	if q.torn {
		if _, err := q.out.Write([]byte("\n")); err != nil {
			return false
		}
		q.torn = false
	}
	n, err := q.out.Write(line)
	q.torn = 0 < n && n < len(line)
	return err == nil
}
