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

// spending counts how often a budget was spent.
type spending struct{ times int }

func (s *spending) budget(limit int64) *Budget { return NewBudget(limit, func() { s.times++ }) }

func TestReadersShareTheBudget(t *testing.T) {
	const each, share = 256 << 10, 256<<10 - unbudgeted
	var spent spending
	budget := spent.budget(3 * share)
	beginning := started(5, MaxMessageSize, each-headroom-1)
	var readers []*Reader
	want := func(taken, overdrawn int64, times int) {
		t.Helper()
		if budget.Taken() != taken || budget.Overdrawn() != overdrawn || spent.times != times {
			t.Errorf("%d bytes taken, %d too many, told %d times; want %d, %d and %d",
				budget.Taken(), budget.Overdrawn(), spent.times, taken, overdrawn, times)
		}
	}
	for range 3 {
		r := budgetReader(t, budget, beginning, io.ErrUnexpectedEOF)
		if bytes, since := r.Budgeted(); r.held != each || bytes != share || since != uint64(len(readers)+1) {
			t.Fatalf("%d bytes held, %d of the budget since %d", r.held, bytes, since)
		}
		readers = append(readers, r)
	}
	want(3*share, 0, 0)
	for range 3 { // overdraw it, each in four steps
		readers = append(readers, budgetReader(t, budget, beginning, io.ErrUnexpectedEOF))
	}
	want(6*share, 3*share, 12)
	refused := budgetReader(t, budget, beginning, ErrBudget)
	if refused.held > unbudgeted {
		t.Errorf("the refused one holds %d bytes", refused.held)
	}
	refused.Close()
	for _, r := range readers {
		r.Close()
		r.Close() // has nothing left to give
		if bytes, since := r.Budgeted(); bytes != 0 || since != 0 {
			t.Errorf("a closed reader has %d bytes since %d", bytes, since)
		}
	}
	want(0, 0, 13)
}

// What tells hoarders from publishers is how long ago they began what they have not
// ended.
func TestTheOldestIncompleteMessageCounts(t *testing.T) {
	const length = 64 << 10
	budget := NewBudget(1<<30, nil)
	part := func(id byte) []byte { return wire(header(id, TypeVideo, length), fill(length)[:40<<10]) }
	rest := func(id byte) []byte { return wire([]byte{3<<6 | id}, fill(length)[40<<10:]) }
	whole := func(id byte) []byte { return wire(part(id), rest(id)) }
	for _, test := range []struct {
		name string
		wire []byte
		want uint64
	}{
		{"nothing", nil, 0},
		{"complete messages", wire(whole(5), whole(6)), 0},
		{"one message behind others", wire(whole(5), whole(6), whole(5), part(5)), 4},
		{"an old one", wire(part(5), whole(6), whole(6), part(7)), 1},
		{"an old one that ended", wire(part(5), part(6), rest(5)), 2},
		{"all ended", wire(part(5), part(6), rest(6), rest(5)), 0},
	} {
		budget.turns.Store(0)
		r := readerOf(wire(setChunkSize("0000A000"), test.wire), AcceptedLimits) // of 40 KiB
		r.SetBudget(budget)
		_, _ = readAll(r)
		if _, since := r.Budgeted(); since != test.want {
			t.Errorf("%s: since turn %d, want %d", test.name, since, test.want)
		}
		r.Close()
	}
	if budget.Taken() != 0 {
		t.Errorf("%d bytes taken", budget.Taken())
	}
}

func TestACompleteMessageGivesTheBudgetBack(t *testing.T) {
	const length = 100 << 10
	budget := NewBudget(length, nil)
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
	var spent spending
	r := budgetReader(t, spent.budget(0), started(5, 60_000, unbudgeted-headroom-1), io.ErrUnexpectedEOF)
	if r.held != unbudgeted || spent.times != 0 {
		t.Errorf("%d bytes held, want %d; told %d times", r.held, unbudgeted, spent.times)
	}
	budgetReader(t, spent.budget(0), started(5, 60_000, unbudgeted), ErrBudget)
	if spent.times != 1 {
		t.Errorf("told %d times", spent.times)
	}
}

// What an established publisher is trusted with comes after what others need.
func TestASpentBudgetTakesTrustAwayFirst(t *testing.T) {
	const keyframe = 512 << 10
	var spent spending
	budget := spent.budget(keyframe)
	b := wire(setChunkSize("00FFFFFF"), header(5, TypeVideo, keyframe), fill(keyframe), header(5, TypeVideo, keyframe), fill(1))
	trusted := budgetReader(t, budget, b, io.ErrUnexpectedEOF)
	if trusted.held < keyframe {
		t.Errorf("%d bytes set aside, want %d", trusted.held, keyframe)
	}
	trusted.Close()
	defer budgetReader(t, budget, started(5, MaxMessageSize, 300<<10), io.ErrUnexpectedEOF).Close() // holds 512 KiB by doubling
	r := readerOf(started(5, keyframe, 10), AcceptedLimits)
	r.SetBudget(budget)
	r.shown = keyframe
	if _, err := readAll(r); !errors.Is(err, io.ErrUnexpectedEOF) || r.held != AcceptedLimits.Upfront {
		t.Errorf("%d bytes held and %v, want %d", r.held, err, AcceptedLimits.Upfront)
	}
	if spent.times != 0 {
		t.Errorf("told %d times of what nobody needs", spent.times)
	}
}

// A thousand peers that announce 16 MiB and trickle cost about what they sent.
func TestAThousandTricklingPeersCostWhatTheySent(t *testing.T) {
	const peers = 1000
	beginning := started(5, MaxMessageSize, 30)
	var readers []*Reader
	budget := NewBudget(8<<20, nil)
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
	budget := NewBudget(10<<20, nil)
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
