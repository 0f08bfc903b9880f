package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of the steps, as in -only and in the raw reports.
const (
	stepFanout   = "fanout"
	stepNoDelay  = "nodelay"
	stepCapacity = "capacity"
	stepMemory   = "memory"
	stepIngest   = "ingest"
	stepTLS      = "tls"
	stepHTTP     = "http"
)

type step struct {
	name string
	take func(*comparison, context.Context) error
}

// steps are taken in this order.
var steps = []step{
	{stepFanout, (*comparison).fanout},
	{stepNoDelay, (*comparison).noDelay},
	{stepCapacity, (*comparison).capacity},
	{stepMemory, (*comparison).memory},
	{stepIngest, (*comparison).ingest},
	{stepTLS, (*comparison).tls},
	{stepHTTP, (*comparison).http},
}

// fanoutPlayers are the numbers of players of the fan-out by default.
var fanoutPlayers = []int{100, 300, 1000, 3000}

type options struct {
	rounds  int
	seconds int
	// searches is how often the capacity is searched, which takes longest.
	searches int
	only     []string // empty: all steps
	players  []int    // of the fan-out, ascending
	json     string   // file for the raw reports, or empty
	binary   string   // rtmp-server to measure, or empty to build this one
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{players: slices.Clone(fanoutPlayers)}
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.rounds, "rounds", 3, "how often each step is measured")
	f.IntVar(&o.seconds, "seconds", 20, "steady state of each run, in seconds")
	f.IntVar(&o.searches, "searches", 3, "how often the capacity is searched")
	f.StringVar(&o.json, "json", "", "file for the raw reports")
	f.StringVar(&o.binary, "binary", "", "rtmp-server to measure, and to load with, in place of building this one")
	f.Func("only", "steps to take, of fanout,nodelay,capacity,memory,ingest,tls,http (default all)", o.setOnly)
	f.Func("players", "numbers of players of the fan-out (default 100,300,1000,3000)", o.setPlayers)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if min(o.rounds, o.seconds, o.searches) < 1 || f.NArg() > 0 {
		err := errors.New("compare: rounds, seconds and searches are at least 1, and there are no arguments")
		_, _ = fmt.Fprintln(stderr, err)
		return o, err
	}
	return o, nil
}

func (o *options) setOnly(list string) error {
	for name := range strings.SplitSeq(list, ",") {
		if !slices.ContainsFunc(steps, func(s step) bool { return s.name == name }) {
			return fmt.Errorf("there is no step %q", name)
		}
		o.only = append(o.only, name)
	}
	return nil
}

func (o *options) setPlayers(list string) error {
	o.players = nil
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number of players", text)
		}
		o.players = append(o.players, n)
	}
	slices.Sort(o.players)
	return nil
}

func (o *options) wants(step string) bool {
	return len(o.only) == 0 || slices.Contains(o.only, step)
}

// steady is how long each run is measured.
func (o *options) steady() time.Duration { return time.Duration(o.seconds) * time.Second }
