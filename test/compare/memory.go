package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// memoryPlayers share what a server needs without any of them.
	memoryPlayers = 2000
	// nginxMemoryPlayers is what nginx-rtmp carries on any machine.
	nginxMemoryPlayers = 500
	// tlsMemoryBitrate leaves a core to spare with memoryPlayers by RTMPS: what
	// counts here is memory.
	tlsMemoryBitrate = "500k" // bits a second
	// stalledPlayers do not read, beside as many that do.
	stalledPlayers = 100
	// waitingSettle is how long connections that wait are left alone before the
	// memory is read.
	waitingSettle = 5 * time.Second
)

// Measurements of the memory step.
const (
	casePlaying      = "playing"
	casePlayingTLS   = "playing by RTMPS"
	caseWaiting      = "waiting"
	caseStalled      = "100 stalled"
	caseNobodyStalls = "nobody stalled"
)

// memory measures what a player takes while it plays and while it waits, and
// what one that does not read does to the others.
func (c *comparison) memory(ctx context.Context) error {
	for round := 1; round <= c.options.rounds; round++ {
		for _, of := range []struct {
			name   string
			server contender
			load   load
		}{
			{casePlaying, ourServer(ours), load{publishers: 1, players: memoryPlayers}},
			{casePlaying, nginxServer(), load{publishers: 1, players: nginxMemoryPlayers}},
			{casePlayingTLS, ourTLSServer(), load{publishers: 1, players: memoryPlayers, bitrate: tlsMemoryBitrate}},
			{caseNobodyStalls, ourServer(ours), load{publishers: 1, players: stalledPlayers}},
			{caseStalled, ourServer(ours), load{publishers: 1, players: stalledPlayers, stalled: stalledPlayers}},
		} {
			r := result{Step: stepMemory, Case: of.name, Round: round}
			if _, err := c.run(ctx, r, of.server, of.load); err != nil {
				return err
			}
		}
		if err := c.waiting(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

// waiting measures players of a channel that nobody publishes on.
func (c *comparison) waiting(ctx context.Context, round int) error {
	started := time.Now()
	r := result{Step: stepMemory, Case: caseWaiting, Round: round, Contender: ours, Players: memoryPlayers}
	bytes, err := c.bytesPerWaiting(ctx, ourServer(ours), memoryPlayers)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.Failure = err.Error()
	}
	r.Value = bytes
	c.add(r, time.Since(started))
	return nil
}

func (c *comparison) bytesPerWaiting(ctx context.Context, server contender, players int) (float64, error) {
	s, err := c.places.start(ctx, server)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	before, err := s.residentBytes()
	if err != nil {
		return 0, err
	}
	leave, err := joinSilent(ctx, s.addr(), players)
	defer leave()
	if err != nil {
		return 0, fmt.Errorf("join: %w", err)
	}
	select {
	case <-time.After(waitingSettle):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	after, err := s.residentBytes()
	return float64(after-before) / float64(players), err
}
