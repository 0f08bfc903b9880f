package rtmp

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
)

// started is the beginning of a video message of the given length, of which so
// many bytes have come, in one chunk.
func started(csid byte, length, come int) []byte {
	return wire(setChunkSize("00FFFFFF"), header(csid, TypeVideo, length), fill(come))
}

// budgetReader has read all of b, which ends within a message.
func budgetReader(t *testing.T, budget *Budget, b []byte, want error) *Reader {
	t.Helper()
	r := readerOf(b, AcceptedLimits)
	r.SetBudget(budget)
	if _, err := readAll(r); !errors.Is(err, want) {
		t.Fatalf("error = %v, want %v", err, want)
	}
	return r
}

func TestReadersShareTheBudget(t *testing.T) {
	const each = 256 << 10
	budget := NewBudget(3 * each)
	beginning := started(5, MaxMessageSize, each-headroom-1)
	var readers []*Reader
	for range 3 {
		r := budgetReader(t, budget, beginning, io.ErrUnexpectedEOF)
		if r.held != each {
			t.Fatalf("%d bytes held, want %d", r.held, each)
		}
		readers = append(readers, r)
	}
	if got, want := budget.Taken(), int64(3*(each-unbudgeted)); got != want {
		t.Errorf("%d bytes taken, want %d", got, want)
	}
	refused := budgetReader(t, budget, beginning, ErrBudget)
	if refused.held > each/2 {
		t.Errorf("the refused one holds %d bytes", refused.held)
	}
	refused.Close()
	readers[0].Close()
	readers[0].Close() // has nothing left to give
	if got, want := budget.Taken(), int64(2*(each-unbudgeted)); got != want {
		t.Errorf("%d bytes taken, want %d", got, want)
	}
	readers = append(readers[1:], budgetReader(t, budget, beginning, io.ErrUnexpectedEOF))
	for _, r := range readers {
		r.Close()
	}
	if got := budget.Taken(); got != 0 {
		t.Errorf("%d bytes taken, though nobody holds anything", got)
	}
}

func TestACompleteMessageGivesTheBudgetBack(t *testing.T) {
	const length = 100 << 10
	budget := NewBudget(length)
	one := wire(header(5, TypeVideo, length), fill(length))
	abort := wire("02 000000 000004 02 00000000 00000005")
	b := wire(setChunkSize("00FFFFFF"), one, one, one)
	r := readerOf(b, AcceptedLimits)
	r.SetBudget(budget)
	for range 4 {
		if _, err := r.ReadMessage(); err != nil {
			t.Fatal(err)
		}
		if budget.Taken() != 0 {
			t.Errorf("%d bytes taken behind a message", budget.Taken())
		}
	}
	aborted := budgetReader(t, budget, wire(setChunkSize("00001000"), header(5, TypeVideo, length), fill(4096), "C5", fill(4096),
		"C5", fill(4096), "C5", fill(4096), "C5", fill(4096), abort), io.EOF)
	if budget.Taken() != 0 || aborted.held != 0 {
		t.Errorf("%d bytes taken behind an abort", budget.Taken())
	}
}

// Small messages are not counted, so that the budget is no place where all
// connections meet.
func TestSmallMessagesDoNotTouchTheBudget(t *testing.T) {
	r := budgetReader(t, NewBudget(0), started(5, 60_000, unbudgeted-headroom-1), io.ErrUnexpectedEOF)
	if r.held != unbudgeted {
		t.Errorf("%d bytes held, want %d", r.held, unbudgeted)
	}
	budgetReader(t, NewBudget(0), started(5, 60_000, unbudgeted), ErrBudget)
}

// What an established publisher is trusted with comes after what others need.
func TestASpentBudgetTakesTrustAwayFirst(t *testing.T) {
	const keyframe = 512 << 10
	budget := NewBudget(keyframe)
	b := wire(setChunkSize("00FFFFFF"), header(5, TypeVideo, keyframe), fill(keyframe), header(5, TypeVideo, keyframe), fill(1))
	trusted := budgetReader(t, budget, b, io.ErrUnexpectedEOF)
	if trusted.held < keyframe {
		t.Errorf("%d bytes set aside, want %d", trusted.held, keyframe)
	}
	trusted.Close()
	other := budgetReader(t, budget, started(5, MaxMessageSize, 300<<10), io.ErrUnexpectedEOF) // holds 512 KiB by doubling
	r := readerOf(b, AcceptedLimits)
	r.SetBudget(budget)
	r.shown = keyframe
	_, err := readAll(r)
	if !errors.Is(err, ErrBudget) {
		t.Errorf("error = %v, want %v", err, ErrBudget)
	}
	r = readerOf(started(5, keyframe, 10), AcceptedLimits)
	r.SetBudget(budget)
	r.shown = keyframe
	if _, err := readAll(r); !errors.Is(err, io.ErrUnexpectedEOF) || r.held != AcceptedLimits.Upfront {
		t.Errorf("%d bytes held and %v, want %d", r.held, err, AcceptedLimits.Upfront)
	}
	other.Close()
}

// A thousand peers that announce 16 MiB and trickle cost about what they sent.
func TestAThousandTricklingPeersCostWhatTheySent(t *testing.T) {
	const peers = 1000
	beginning := started(5, MaxMessageSize, 30)
	var readers []*Reader
	budget := NewBudget(8 << 20)
	cost := allocated(func() {
		for range peers {
			readers = append(readers, budgetReader(t, budget, beginning, io.ErrUnexpectedEOF))
		}
	})
	held := 0
	for _, r := range readers {
		held += r.held
	}
	if held > peers*AcceptedLimits.Upfront || cost > 2*peers*(16<<10) {
		t.Errorf("%d bytes held, %d allocated", held, cost)
	}
}

func TestABudgetIsExactUnderContention(t *testing.T) {
	budget := NewBudget(10 << 20)
	whole := bytes.Repeat(wire(header(5, TypeVideo, 40<<10), fill(40<<10)), 20)
	b := wire(setChunkSize("00FFFFFF"), whole, header(6, TypeVideo, 50<<10), fill(20<<10))
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 10 {
				r := readerOf(b, AcceptedLimits)
				r.SetBudget(budget)
				if _, err := readAll(r); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Error(err)
				}
				r.Close()
			}
		})
	}
	running.Wait()
	if got := budget.Taken(); got != 0 {
		t.Errorf("%d bytes left", got)
	}
}
