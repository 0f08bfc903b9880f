package main

import "github.com/AgustinSRG/rtmp-server/internal/bench"

// result is one figure or report of one contender in one round of a step.
type result struct {
	Step      string `json:"step"`
	Case      string `json:"case,omitempty"` // which of several measurements of a step
	Round     int    `json:"round"`
	Contender string `json:"contender"`
	Players   int    `json:"players"`
	// Report is missing where something else than the load generator measured,
	// and where it could not, which Failure then tells of.
	Report  *bench.Report `json:"report,omitempty"`
	Failure string        `json:"failure,omitempty"`
	// Value is the outcome of what has a single one: players (capacity), bytes a
	// player (memory), seconds per GB (seal).
	Value float64 `json:"value,omitempty"`
	// AtLimit marks a capacity that is as many players as were tried, so that the
	// server carries at least these.
	AtLimit bool `json:"at_limit,omitempty"`
}

// overloaded reports whether the server did not carry the load: what arrived is
// too little for anybody to watch.
func (r result) overloaded() bool {
	if r.Report != nil && r.Report.Publishers == 0 {
		return r.Report.LostMessages > 0 || r.Report.Ended > 0
	}
	part, ok := delivered(r)
	return !ok || part < leastDelivered
}

// figure takes one figure from a result that has it.
type figure func(result) (float64, bool)

// of makes a figure of what takes it from a report that has it.
func of[T int | int64 | float64](get func(*bench.Report) *T) figure {
	return func(r result) (float64, bool) {
		if r.Report == nil {
			return 0, false
		}
		v := get(r.Report)
		if v == nil {
			return 0, false
		}
		return float64(*v), true
	}
}

// ofServer is the same for what the server used.
func ofServer[T int64 | float64](get func(*bench.ServerCost) *T) figure {
	return of(func(r *bench.Report) *T {
		if r.Server == nil {
			return nil
		}
		return get(r.Server)
	})
}

// ofLatency is the same for the latency at players that wake on each event.
func ofLatency(get func(*bench.Latency) *float64) figure {
	return of(func(r *bench.Report) *float64 {
		if r.Latency == nil {
			return nil
		}
		return get(r.Latency)
	})
}

// ofLag is the same for the lag at all players.
func ofLag(get func(*bench.Latency) *float64) figure {
	return of(func(r *bench.Report) *float64 {
		if r.Lag == nil {
			return nil
		}
		return get(r.Lag)
	})
}

// The figures of a report.
var (
	// perGB is the CPU time in seconds that the server took for a GB, perPlayer
	// that in microseconds for a second of one player.
	perGB     = ofServer(func(s *bench.ServerCost) *float64 { return s.CPUSecondsPerGB })
	perPlayer = ofServer(func(s *bench.ServerCost) *float64 { return s.CPUPerPlayerSeconds })

	serverCPU = ofServer(func(s *bench.ServerCost) *float64 { return &s.CPUPercent })

	resident     = ofServer(func(s *bench.ServerCost) *int64 { return &s.RSS })
	residentPeak = ofServer(func(s *bench.ServerCost) *int64 { return &s.RSSPeak })
	perResident  = ofServer(func(s *bench.ServerCost) *float64 { return s.RSSPerPlayer })

	latencyP50 = ofLatency(func(l *bench.Latency) *float64 { return &l.P50 })
	latencyP99 = ofLatency(func(l *bench.Latency) *float64 { return &l.P99 })
	lagP50     = ofLag(func(l *bench.Latency) *float64 { return &l.P50 })
	lagP99     = ofLag(func(l *bench.Latency) *float64 { return &l.P99 })
	batchMS    = of(func(r *bench.Report) *float64 { return r.BatchMS })

	lostMessages = of(func(r *bench.Report) *int64 { return &r.LostMessages })
	ended        = of(func(r *bench.Report) *int { return &r.Ended })
	published    = of(func(r *bench.Report) *int64 { return &r.PublishedBytes })

	generatorCPU = of(func(r *bench.Report) *float64 {
		if r.Generator == nil {
			return nil
		}
		return &r.Generator.CPUPercent
	})
)

// delivered is the part of what was published that arrived. A server that
// publishes to itself, as the floor does, keeps to the bitrate, so that the
// figure is right to a keyframe.
func delivered(r result) (float64, bool) {
	switch {
	case r.Report == nil:
		return 0, false
	case r.Report.Delivered != nil:
		return *r.Report.Delivered, true
	case r.Report.Publishers > 0:
		return 0, false
	}
	expected := float64(r.Report.Bitrate) / 8 * r.Report.Seconds * float64(r.Report.Joined)
	return min(1, float64(r.Report.Bytes)/expected), expected > 0
}

// value is the outcome of what has a single one.
func value(r result) (float64, bool) { return r.Value, r.Value > 0 }

// scaled is a figure in another unit.
func scaled(f figure, unit float64) figure {
	return func(r result) (float64, bool) {
		v, ok := f(r)
		return v / unit, ok
	}
}
