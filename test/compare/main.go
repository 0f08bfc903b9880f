// Command compare measures rtmp-server beside nginx-rtmp, Node-Media-Server and
// the floor, a server that costs what the kernel costs and nothing else, on one
// Linux machine with two cores, as root:
//
//	go run ./test/compare -rounds 3 -json raw.json
//
// Everything runs in one go, contenders in turn within each round, so that a
// machine that gets slower gets slower for all. The server has the first core,
// the load generator (rtmp-server bench) the second. Both live in a network
// namespace of their own whose loopback acknowledges at once: with delayed
// acknowledgements, work of servers that leave Nagle's algorithm on moves to
// the client and vanishes from their figure.
//
// A line per run goes to standard error, the tables in Markdown to standard
// output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func run(args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, o, stdout, stderr); err != nil {
		_, _ = fmt.Fprintln(stderr, "compare:", err)
		return exitFailed
	}
	return exitOK
}

// compare prepares in the network of the machine, which downloads need, and
// then measures in a namespace.
func compare(ctx context.Context, o options, stdout, stderr io.Writer) error {
	if err := dieWithParent(); err != nil {
		return err
	}
	p, err := findPlaces(ctx)
	if err != nil {
		return err
	}
	if !inNamespace() {
		if err := p.prepare(ctx, o, stderr); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		return runInNamespace(ctx, stdout, stderr)
	}
	if err := setUpNamespace(ctx); err != nil {
		return fmt.Errorf("set up the network namespace: %w", err)
	}
	return measure(ctx, o, p, stdout, stderr)
}

// measure takes the steps that were asked for. The tables are written of
// whatever was measured, also when it was cut short.
func measure(ctx context.Context, o options, p places, stdout, stderr io.Writer) (err error) {
	if p.temporary, err = os.MkdirTemp("", "compare-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.temporary)) }()

	c := &comparison{options: o, places: p, log: stderr}
	header, err := describe(ctx, c)
	if err != nil {
		return err
	}
	err = c.takeSteps(ctx)
	if o.json != "" {
		err = errors.Join(err, writeJSON(o.json, c.results))
	}
	return errors.Join(err, writeTables(stdout, header, c.results))
}

func (c *comparison) takeSteps(ctx context.Context) error {
	for _, s := range steps {
		if !c.options.wants(s.name) {
			continue
		}
		if err := s.take(c, ctx); err != nil {
			return fmt.Errorf("step %s: %w", s.name, err)
		}
	}
	return nil
}
