package main

import (
	"context"
	"time"
)

// noDelayPlayers is how many players the latency without batching is measured
// with.
const noDelayPlayers = 300

// fanout gives each server one stream and more and more players. The floor
// follows on our server and writes as seldom as it did: with the same batches.
func (c *comparison) fanout(ctx context.Context) error {
	overloadedAt := map[string]int{} // players at which a contender first did not keep up
	carries := func(name string, players int) bool {
		limit, known := overloadedAt[name]
		return !known || players <= limit
	}
	for round := 1; round <= c.options.rounds; round++ {
		for _, players := range c.options.players {
			for _, server := range []contender{ourServer(ours), nginxServer(), nodeServer()} {
				if !carries(server.name, players) {
					continue
				}
				r, err := c.run(ctx, result{Step: stepFanout, Round: round}, server, load{publishers: 1, players: players})
				if err != nil {
					return err
				}
				if r.overloaded() && carries(server.name, players) {
					overloadedAt[server.name] = players
				}
				if server.name != ours {
					continue
				}
				if err := c.followWithFloor(ctx, r, players); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// followWithFloor measures the floor with the batches of a result of ours.
func (c *comparison) followWithFloor(ctx context.Context, of result, players int) error {
	batch, ok := batchMS(of)
	if !ok {
		return nil
	}
	length := time.Duration(batch * float64(time.Millisecond)).Round(time.Millisecond / 10)
	_, err := c.run(ctx, result{Step: of.Step, Round: of.Round}, floorServer(length, players), load{players: players})
	return err
}

// noDelay compares servers that send each message at once.
func (c *comparison) noDelay(ctx context.Context) error {
	at := load{publishers: 1, players: noDelayPlayers}
	for round := 1; round <= c.options.rounds; round++ {
		r := result{Step: stepNoDelay, Round: round}
		for _, server := range []contender{ourServer(oursNoDelay, "MAX_WRITE_DELAY_MS=0"), nginxServer()} {
			if _, err := c.run(ctx, r, server, at); err != nil {
				return err
			}
		}
		if _, err := c.run(ctx, r, floorServer(0, noDelayPlayers), load{players: noDelayPlayers}); err != nil {
			return err
		}
	}
	return nil
}
