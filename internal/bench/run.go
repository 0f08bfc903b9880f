package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// group is a part of the players.
type group interface {
	// join has a seat taken soon, until ctx ends.
	join(ctx context.Context, s *seat)
	// leave waits until every seat is free, after ctx ended.
	leave()
}

// run is one measurement.
type run struct {
	options     Options
	targets     []target
	addr        string
	shape       shape
	joinTimeout time.Duration
	clock       clock
	window      *window
	console     *console
	roster      *roster

	publishers []*publisher
	// The players that wake on each event and are watched, those that read on a
	// tick, and those of a goroutine each: over TLS, and the stalled.
	watching, ticking, others *tally

	rssBefore, rssPeak int64

	broken chan error // a publisher's connection ended
}

// ErrInterrupted is returned when ctx ended before anything could be measured.
var ErrInterrupted = errors.New("interrupted before anything was measured")

// Run makes the load that the options ask for and measures. Problems and, unless
// quiet, a line each second go to out. When ctx ends, what was measured so far
// is reported.
//
// A report comes with an error if it cannot be trusted: a publisher was lost.
func Run(ctx context.Context, o Options, quiet bool, out io.Writer) (Report, error) {
	r, err := newRun(o, quiet, out)
	if err != nil {
		return Report{}, err
	}
	return r.measure(ctx)
}

func newRun(o Options, quiet bool, out io.Writer) (*run, error) {
	targets, err := o.check()
	if err != nil {
		return nil, err
	}
	r := &run{
		options:     o,
		targets:     targets,
		addr:        targets[0].addr,
		joinTimeout: joinTimeout,
		clock:       newClock(),
		window:      newWindow(),
		console:     newConsole(out, quiet),
		broken:      make(chan error, 1),
	}
	if o.Publishers > 0 {
		if r.shape, err = newShape(o); err != nil {
			return nil, err
		}
	}
	r.roster = newRoster(o.Players+o.Stalled, len(targets), r.console)
	foreign := o.Publishers == 0
	r.watching, r.ticking, r.others = newTally(r.window, foreign), newTally(r.window, foreign), newTally(r.window, foreign)
	return r, nil
}

// measure goes through the phases of a run.
func (r *run) measure(ctx context.Context) (Report, error) {
	defer r.console.close()
	if err := raiseFileLimit(r.options.connections()); err != nil {
		return Report{}, err
	}
	if _, err := costOf(r.options.PIDs); err != nil {
		return Report{}, err
	}
	// The load outlives ctx, so that what was measured can be read in peace.
	load, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	live := newLive(r)
	defer live.ticker.Stop()
	if err := r.startPublishers(ctx, load, live, &running); err != nil {
		return Report{}, err
	}
	if err := r.noteMemory(); err != nil {
		return Report{}, err
	}
	leave, err := r.startPlayers(ctx, load, live)
	// Deferred calls run in reverse: the load stops before it is waited for.
	defer func() { stop(); leave() }()
	if err != nil {
		return Report{}, err
	}
	if err := live.wait(ctx, time.Now().Add(r.options.Settle)); err != nil {
		return Report{}, err
	}
	from, to, err := r.observe(ctx, live)
	report := r.report(from, to)
	r.console.summary()
	return report, err
}

// observe opens the window, and closes it when its time is over or ctx ends.
func (r *run) observe(ctx context.Context, live *live) (from, to moment, err error) {
	const lead = 20 * time.Millisecond
	begin := r.clock.now() + lead.Microseconds()
	r.window.to.Store(begin + r.options.Duration.Microseconds())
	r.window.from.Store(begin)
	if err := live.wait(ctx, r.clock.time(begin)); err != nil {
		return moment{}, moment{}, err
	}
	if from, err = r.moment(); err != nil {
		return moment{}, moment{}, err
	}
	live.open()
	interrupted := live.wait(ctx, r.clock.time(r.window.to.Load())) != nil
	if interrupted {
		r.window.to.Store(min(r.clock.now(), r.window.to.Load()))
	}
	if to, err = r.moment(); err != nil {
		return from, to, err
	}
	r.awaitStragglers()
	select {
	case err = <-r.broken:
		return from, to, err
	default:
		return from, to, nil
	}
}

// awaitStragglers gives what was sent within the window time to arrive.
func (r *run) awaitStragglers() {
	deadline := time.Now().Add(grace)
	for time.Now().Before(deadline) {
		// First of all, whoever is sending a message of the window counts it.
		time.Sleep(100 * time.Millisecond)
		if r.total().bytes >= r.expected() {
			return
		}
	}
}

// total adds up what all players counted.
func (r *run) total() *tally {
	sum := newTally(r.window, false)
	for _, t := range []*tally{r.watching, r.ticking, r.others} {
		sum.add(t)
	}
	return sum
}

// expected is the payload that should have arrived: what each stream published
// within the window, for each of its players.
func (r *run) expected() int64 {
	r.roster.mu.Lock()
	defer r.roster.mu.Unlock()
	var sum int64
	for _, p := range r.publishers {
		sum += p.bytes.Load() * int64(r.roster.byStream[p.number])
	}
	return sum
}

// moment is what the counters said at some time.
type moment struct {
	at          int64
	wire        int64
	server, own *cost
}

func (r *run) moment() (moment, error) {
	m := moment{at: r.clock.now(), wire: r.wire()}
	if own, err := ownCost(); err == nil {
		m.own = &own
	}
	if len(r.options.PIDs) == 0 {
		return m, nil
	}
	server, err := costOf(r.options.PIDs)
	if err != nil {
		return m, err
	}
	m.server = &server
	r.rssPeak = max(r.rssPeak, server.rss)
	return m, nil
}

// wire is how much was read so far.
func (r *run) wire() (n int64) {
	for _, t := range []*tally{r.watching, r.ticking, r.others} {
		t.mu.Lock()
		n += t.wire
		t.mu.Unlock()
	}
	return n
}

func (r *run) noteMemory() error {
	m, err := r.moment()
	if m.server != nil {
		r.rssBefore = m.server.rss
	}
	return err
}

// startPublishers has all streams published; it returns when each has begun.
func (r *run) startPublishers(ctx, load context.Context, live *live, running *sync.WaitGroup) error {
	n := r.options.Publishers
	pacers := make([]*pacer, min(n, maxPacers))
	for i := range pacers {
		pacers[i] = newPacer(r)
		running.Go(func() { pacers[i].run(load) })
	}
	begun := make(chan error, n)
	r.publishers = make([]*publisher, n)
	ramp := newRamp(r.options.Ramp)
	for i := range n {
		if err := ramp.wait(ctx); err != nil {
			return err
		}
		live.poll()
		running.Go(func() { r.runPublisher(load, i, pacers[i%len(pacers)], begun) })
	}
	for range n {
		if err := live.until(ctx, begun); err != nil {
			return err
		}
	}
	if n > 1 { // the last one begins a keyframe interval after the first
		return live.wait(ctx, time.Now().Add(r.options.GOP))
	}
	return nil
}

// runPublisher publishes one stream until load ends; begun learns how it began.
func (r *run) runPublisher(load context.Context, number int, c *pacer, begun chan<- error) {
	p, err := r.publish(load, number)
	if err != nil {
		begun <- fmt.Errorf("publisher %d: %s", number, reason(err))
		return
	}
	r.publishers[number] = p
	// Keyframes of all publishers at once would be no usual load.
	phase := r.options.GOP * time.Duration(number) / time.Duration(r.options.Publishers)
	p.start = time.Now().Add(phase)
	c.add(p)
	begun <- nil
	r.watch(load, p)
}

// watch waits for the end of a publisher.
func (r *run) watch(load context.Context, p *publisher) {
	err := p.drain()
	p.failed.Store(true)
	_ = p.conn.Close()
	if load.Err() != nil {
		return
	}
	err = fmt.Errorf("publisher %d was lost: %s", p.number, reason(err))
	r.console.problem(err.Error())
	select {
	case r.broken <- err:
	default:
	}
}

// watches reports whether player i is one of the watchers, who are spread over all of
// them: a server that serves one after the other serves some sooner.
func watches(i int, o Options) bool {
	return i*o.Watchers/o.Players != (i+1)*o.Watchers/o.Players
}

// startPlayers has all players join, and waits until each has or has failed.
// The function it returns waits until all have left.
func (r *run) startPlayers(ctx, load context.Context, live *live) (leave func(), err error) {
	secure := r.targets[0].secure
	watchers := r.newReaders(r.watching, watcherBuffer, true)
	others := r.newReaders(r.others, readerBuffer, false)
	groups := []group{watchers, others}
	crowd := group(others)
	leave = func() {
		for _, g := range groups {
			g.leave()
		}
	}
	if !secure && r.options.Players > 0 {
		if crowd, err = r.newCrowd(load, r.ticking); err != nil {
			return leave, err
		}
		groups = append(groups, crowd)
	}
	ramp := newRamp(r.options.Ramp)
	for i := range r.options.Players + r.options.Stalled {
		if err := ramp.wait(ctx); err != nil {
			return leave, err
		}
		live.poll()
		s := &seat{stream: i % len(r.targets), stalled: i >= r.options.Players}
		s.target = &r.targets[s.stream]
		switch {
		case s.stalled:
			others.join(load, s)
		case watches(i, r.options):
			watchers.join(load, s)
		default:
			crowd.join(load, s)
		}
	}
	if err := live.until(ctx, r.roster.settled); err != nil {
		return leave, err
	}
	if r.options.Players > 0 && r.roster.everybody() == 0 {
		return leave, fmt.Errorf("nobody joined: %s", r.console.worst())
	}
	return leave, nil
}
