package bench

// Report is what a run found. What was not measured is nil; latencies are in
// milliseconds, memory in bytes.
type Report struct {
	URL        string  `json:"url"`
	Publishers int     `json:"publishers"`
	Players    int     `json:"players"`
	Bitrate    int     `json:"bitrate"`
	Seconds    float64 `json:"seconds"`

	Joined int      `json:"joined"`
	Failed int      `json:"failed"`
	Join   *Latency `json:"join_ms"`
	// Ended counts connections of players that ended after they had joined.
	Ended      int `json:"ended"`
	Reconnects int `json:"reconnects"`

	PublishedBytes    int64 `json:"published_bytes"`
	PublishedMessages int64 `json:"published_messages"`
	// Bytes is the payload of the frames that players got; WireBytes all that
	// they read from their connections.
	Bytes     int64 `json:"bytes"`
	WireBytes int64 `json:"wire_bytes"`
	// ExpectedBytes is what was published, once for each of its players, and
	// Delivered the share of it that arrived.
	ExpectedBytes *int64   `json:"expected_bytes"`
	Delivered     *float64 `json:"delivered"`
	// Gaps counts the places where frames were left out, over all players, and
	// LostMessages the frames.
	Gaps         int64 `json:"gaps"`
	LostMessages int64 `json:"lost_messages"`

	// Latency is from sending to receipt at the watchers; Lag the same at all
	// players, the error of the tick included.
	Latency *Latency `json:"latency_ms"`
	Lag     *Latency `json:"lag_ms"`
	// LagFirst and LagLast are the median lag in the first and in the last fifth
	// of the time: growth means overload.
	LagFirst *float64 `json:"lag_first_ms"`
	LagLast  *float64 `json:"lag_last_ms"`
	// BatchMS and BatchBytes are the mean time between arrivals at a watcher and
	// their mean size: how the server gathers what it sends.
	BatchMS    *float64 `json:"batch_ms"`
	BatchBytes *float64 `json:"batch_bytes"`

	Server    *ServerCost    `json:"server"`
	Generator *GeneratorCost `json:"generator"`
}

// Latency is the distribution of a time.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// ServerCost is what the processes of the server used.
type ServerCost struct {
	CPUSeconds float64 `json:"cpu_seconds"`
	CPUPercent float64 `json:"cpu_percent"`
	// CPUSecondsPerGB is for 10^9 bytes to players, or from publishers where
	// there are no players.
	CPUSecondsPerGB     *float64 `json:"cpu_seconds_per_gb"`
	CPUPerPlayerSeconds *float64 `json:"cpu_us_per_player_second"`
	// RSSBefore was read with the publishers on and before the first player.
	RSSBefore    int64    `json:"rss_before"`
	RSS          int64    `json:"rss"`
	RSSPerPlayer *float64 `json:"rss_per_player"`
	RSSPeak      int64    `json:"rss_peak"`
}

// GeneratorCost is what the generator itself used.
type GeneratorCost struct {
	CPUSeconds float64 `json:"cpu_seconds"`
	CPUPercent float64 `json:"cpu_percent"`
	RSS        int64   `json:"rss"`
}

// report puts together what was counted between two moments.
func (r *run) report(from, to moment) Report {
	seconds := float64(to.at-from.at) / 1e6
	all := r.total()
	rep := Report{
		URL: r.options.URL, Publishers: r.options.Publishers, Players: r.options.Players, Bitrate: r.options.Bitrate,
		Seconds:      seconds,
		Bytes:        all.bytes,
		WireBytes:    to.wire - from.wire,
		Gaps:         all.gaps,
		LostMessages: all.lost,
		Lag:          all.lag.summary(),
		Latency:      r.latency(),
	}
	r.roster.mu.Lock()
	rep.Joined, rep.Failed, rep.Join = r.roster.joined, r.roster.failed, r.roster.took.summary()
	rep.Ended, rep.Reconnects = r.roster.ended, r.roster.reconnects
	r.roster.mu.Unlock()
	for _, p := range r.publishers {
		rep.PublishedBytes += p.bytes.Load()
		rep.PublishedMessages += p.messages.Load()
	}
	if expected := r.expected(); expected > 0 {
		rep.ExpectedBytes = &expected
		rep.Delivered = ratio(float64(all.bytes), float64(expected))
	}
	if all.first.count > 0 && all.last.count > 0 {
		first, last := all.first.quantile(0.5), all.last.quantile(0.5)
		rep.LagFirst, rep.LagLast = &first, &last
	}
	rep.BatchMS = ratio(milliseconds(all.batchTime), float64(all.batches))
	rep.BatchBytes = ratio(float64(all.batchBytes), float64(all.batches))
	r.charge(&rep, from, to)
	return rep
}

func (r *run) latency() *Latency {
	r.watching.mu.Lock()
	defer r.watching.mu.Unlock()
	return r.watching.lag.summary()
}

// charge fills in what the run cost.
func (r *run) charge(rep *Report, from, to moment) {
	if from.own != nil && to.own != nil {
		cpu := (to.own.cpu - from.own.cpu).Seconds()
		rep.Generator = &GeneratorCost{CPUSeconds: cpu, CPUPercent: 100 * cpu / rep.Seconds, RSS: to.own.rss}
	}
	if from.server == nil || to.server == nil {
		return
	}
	cpu := (to.server.cpu - from.server.cpu).Seconds()
	volume := rep.WireBytes
	if rep.Joined == 0 {
		volume = rep.PublishedBytes
	}
	rep.Server = &ServerCost{
		CPUSeconds:          cpu,
		CPUPercent:          100 * cpu / rep.Seconds,
		CPUSecondsPerGB:     ratio(cpu*1e9, float64(volume)),
		CPUPerPlayerSeconds: ratio(cpu*1e6, float64(rep.Joined)*rep.Seconds),
		RSSBefore:           r.rssBefore,
		RSS:                 to.server.rss,
		RSSPerPlayer:        ratio(float64(to.server.rss-r.rssBefore), float64(rep.Joined)),
		RSSPeak:             r.rssPeak,
	}
}

// ratio is nil where there is nothing to divide by.
func ratio(a, b float64) *float64 {
	if b == 0 {
		return nil
	}
	q := a / b
	return &q
}
