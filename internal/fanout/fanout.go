package fanout

import (
	"runtime"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

const (
	// pauseFactor is how many times as long as a pass the pause behind it is.
	// Less costs processor time, more costs delay.
	pauseFactor = 19
	// shareFactor is how many times as long as the pause a pass may be, with so many
	// viewers that messages wait longer than they should anyway. Newcomers and publishers
	// need a share of the processor, and larger batches cost less: the server carries
	// more viewers than without. That ends when viewers wait longFactor times as long
	// as they should.
	shareFactor = 4
	longFactor  = 4
	// partSize is how many viewers are worth a goroutine of their own: they
	// take about a millisecond.
	partSize = 64
	// joinSize is how many viewers are worth laying out what they get in one
	// piece, and pagesSize having the kernel keep that for them.
	joinSize  = 8
	pagesSize = 64
)

// Options are how viewers are served. Now is required.
type Options struct {
	// MaxDelay is how long a message may wait for company before the pass that it goes
	// out with begins, unless passes take nearly as long themselves; 0 means that each
	// flush is a pass.
	MaxDelay time.Duration
	// Now is the clock on which the publication is told of the pauses.
	Now func() time.Duration
	// Observe is told of a pass that had viewers, if it is not nil: how many, and
	// how long it took.
	Observe func(viewers int, took time.Duration)
	// Pages are for passes with many viewers, and closed after each. They belong to
	// this fan-out alone, and may be nil.
	Pages Pages
}

// Pages are what viewers find in a pass.
type Pages interface {
	stream.Pages
	Close()
}

// Run serves the viewers of p as [Passes.Run] does, among no others.
func Run(p *stream.Publication, o Options) { new(Passes).Run(p, o) }

// Run serves the viewers of p until it is closed, and once more then.
func (all *Passes) Run(p *stream.Publication, o Options) {
	f := &fan{publication: p, pages: o.Pages, parts: runtime.GOMAXPROCS(0)}
	all.add(f)
	defer all.remove(f)
	pause := time.NewTimer(0)
	defer pause.Stop()
	f.pass() // there may be viewers who waited for the publication
	for {
		select {
		case <-p.Pulse():
			f.gather(o, pause)
			start := o.Now()
			viewers := f.pass()
			now := o.Now()
			if o.Observe != nil && viewers > 0 {
				o.Observe(viewers, now-start)
			}
			f.passed(now, now-start, o.MaxDelay)
		case <-p.Done():
			f.pass()
			return
		}
	}
}

// fan is the fan-out of one publication.
type fan struct {
	// passing is held during a pass.
	passing     sync.Mutex
	publication *stream.Publication
	// parts is how many goroutines may share a pass.
	parts int
	// usual is how long passes take of late.
	usual time.Duration
	// rested is when the pause behind the last pass is over, and earliest the time
	// before which there is no other, however long messages wait.
	rested, earliest time.Duration

	viewers []stream.Viewer
	pages   Pages
	helping sync.WaitGroup
}

// gather waits before a pass: for the end of the pause, but not longer than the first
// message that came behind the last pass may wait.
func (f *fan) gather(o Options, pause *time.Timer) {
	now := o.Now()
	came := f.publication.Log().Unsent(now)
	until := max(f.earliest, min(f.rested, came+o.MaxDelay))
	if until <= now {
		return
	}
	f.publication.Rest(until)
	pause.Reset(until - now)
	select {
	case <-pause.C:
	case <-f.publication.Done():
	}
	select {
	case <-f.publication.Pulse(): // what it tells of is in this pass
	default:
	}
}

// passed plans the pause behind a pass. The publisher is told of it if it is already
// known how long it will be, which depends on the next message if that may not wait
// as long.
func (f *fan) passed(now, took, maxDelay time.Duration) {
	if maxDelay == 0 {
		return
	}
	f.learn(took)
	f.rested = now + pauseFactor*f.usual
	f.earliest = now + min(took/shareFactor, longFactor*maxDelay-took)
	if f.rested <= now+maxDelay {
		f.publication.Rest(f.rested)
	}
}

// learn follows the time of the passes slowly, as it varies by chance: delays
// would vary with it. A pass that was held up says little about the next.
func (f *fan) learn(took time.Duration) {
	if f.usual == 0 {
		f.usual = took
	}
	took = min(took, 2*f.usual+time.Millisecond)
	f.usual += (took - f.usual) / 8
}

// pass wakes every viewer once, and returns how many there are. The viewers of a
// pass always come in the same order while none comes or goes: their delays are
// alike.
func (f *fan) pass() (viewers int) {
	f.passing.Lock()
	defer f.passing.Unlock()
	f.viewers = f.publication.AppendViewers(f.viewers[:0])
	if len(f.viewers) >= joinSize {
		f.publication.Log().Join()
	} else {
		f.publication.Log().Part()
	}
	f.wakeAll()
	clear(f.viewers) // or those who left would stay in memory
	return len(f.viewers)
}

// wakeAll wakes all viewers, on several processors if there are many.
func (f *fan) wakeAll() {
	var pages stream.Pages
	if f.pages != nil && len(f.viewers) >= pagesSize {
		pages = f.pages
		defer f.pages.Close()
	}
	defer f.helping.Wait()
	own := f.viewers
	if parts := min(f.parts, len(own)/partSize); parts > 1 {
		size := (len(own) + parts - 1) / parts
		for len(own) > size {
			part := own[len(own)-size:]
			own = own[:len(own)-size]
			f.helping.Go(func() { wake(part, pages) })
		}
	}
	wake(own, pages)
}

// wake gives way now and then: the publishers and viewers of other channels
// must not wait for the end of a large pass.
func wake(viewers []stream.Viewer, pages stream.Pages) {
	for i, v := range viewers {
		if i+1 < len(viewers) {
			viewers[i+1].Expect()
		}
		v.Wake(pages)
		if i%partSize == partSize-1 {
			runtime.Gosched()
		}
	}
}
