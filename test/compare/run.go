package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/bench"
)

const (
	// leastDelivered is the part of what was published that has to arrive.
	leastDelivered = 0.985
	// streamLabel is the bitrate of the stream that the load generator makes by
	// default, and the floor too.
	streamLabel   = "2.5 Mbit/s"
	streamBitrate = 2_500_000 // bits a second
	// ramp is how many players, or publishers, join a second.
	ramp = 500
	// runSlack is what a run may take beyond its ramp and its steady state.
	runSlack = time.Minute
)

// comparison is one run of everything.
type comparison struct {
	options options
	places  places
	log     io.Writer
	results []result
}

// load is what the generator puts on a server.
type load struct {
	publishers int
	players    int
	stalled    int    // players that join and never read
	bitrate    string // empty: the default
}

// run measures one contender under one load. A load that the contender cannot
// carry at all is a result too: only the end of ctx is an error.
func (c *comparison) run(ctx context.Context, r result, server contender, l load) (result, error) {
	r.Contender, r.Players = server.name, l.players
	started := time.Now()
	got, err := c.measured(ctx, server, l)
	if err != nil {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		r.Failure = err.Error()
	}
	r.Report = got
	c.add(r, time.Since(started))
	return r, nil
}

func (c *comparison) measured(ctx context.Context, server contender, l load) (*bench.Report, error) {
	s, err := c.places.start(ctx, server)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	got, err := c.generate(ctx, s.pid(), server.url(s.port), l)
	if err != nil {
		return nil, errors.Join(err, errors.New(s.lastWords()))
	}
	return got, nil
}

// generate runs the load generator on its core.
func (c *comparison) generate(ctx context.Context, pid int, url string, l load) (*bench.Report, error) {
	joining := time.Duration(max(l.players, l.publishers)+l.stalled) * time.Second / ramp
	ctx, cancel := context.WithTimeout(ctx, joining+c.options.steady()+runSlack)
	defer cancel()

	var output, complaints bytes.Buffer
	cmd := pinned(ctx, generatorCore, append([]string{c.places.server(), "bench"}, l.arguments(pid, c.options.steady(), url)...)...)
	cmd.Dir = c.places.temporary
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = &output, &complaints
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("load generator: %w: %s", err, lastLine(complaints.String()))
	}
	got := new(bench.Report)
	if err := json.Unmarshal(output.Bytes(), got); err != nil {
		return nil, fmt.Errorf("report of the load generator: %w", err)
	}
	return got, nil
}

func (l load) arguments(pid int, steady time.Duration, url string) []string {
	args := []string{
		"-json", "-quiet", "-insecure",
		"-publishers", strconv.Itoa(l.publishers),
		"-players", strconv.Itoa(l.players),
		"-stalled", strconv.Itoa(l.stalled),
		"-ramp", strconv.Itoa(ramp),
		"-duration", steady.String(),
		"-pid", strconv.Itoa(pid),
	}
	if l.bitrate != "" {
		args = append(args, "-bitrate", l.bitrate)
	}
	return append(args, url)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// add keeps a result and tells of it.
func (c *comparison) add(r result, took time.Duration) {
	c.results = append(c.results, r)
	line := fmt.Sprintf("%-8s round %d  %-28s %5d players", r.Step, r.Round, strings.TrimSpace(r.Contender+" "+r.Case), r.Players)
	if v, ok := perGB(r); ok {
		line += fmt.Sprintf("  %6.3f s/GB", v)
	}
	if v, ok := delivered(r); ok && r.Players > 0 {
		line += fmt.Sprintf("  %6.2f %% delivered", 100*v)
	}
	if v, ok := latencyP99(r); ok {
		line += fmt.Sprintf("  p99 %.0f ms", v)
	}
	if r.Value > 0 {
		line += "  " + significant(r.Value)
	}
	if r.Failure != "" {
		line += "  failed: " + r.Failure
	}
	_, _ = fmt.Fprintf(c.log, "%s  (%.0f s)\n", line, took.Seconds())
}

// writeJSON writes the raw results.
func writeJSON(file string, results []result) error {
	text, err := json.MarshalIndent(results, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}
