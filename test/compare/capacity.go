package main

import (
	"context"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/bench"
)

const (
	// searchStep is by how much the load is raised until it is too much, and
	// firstStep the same after the first try, which is right about where the
	// search before ended.
	searchStep = 1.25
	firstStep  = 1.1
	// searchError is how near to each other the last load that was carried and
	// the first one that was not have to be, as a part of the latter.
	searchError = 0.05
	// fewestPlayers and mostPlayers bound the search. The upper one stays below
	// what one address has ports for, see portRange; the limit of open files, less
	// what the processes keep for themselves, may be lower.
	fewestPlayers, mostPlayers = 10, 24000
	otherFiles                 = 500

	// growingLag and longestLag are the lag, in milliseconds, with which a
	// server does not keep up any more.
	growingLag = 200
	longestLag = 1500
)

// capacity searches for the most players that one core carries.
func (c *comparison) capacity(ctx context.Context) error {
	starts := map[string]int{ours: 9500, nginx: 1200, node: 1500}
	for round := 1; round <= c.options.searches; round++ {
		for _, server := range []contender{ourServer(ours), nginxServer(), nodeServer()} {
			r := result{Step: stepCapacity, Round: round}
			started := time.Now()
			limit := searchLimit()
			most, err := search(starts[server.name], limit, func(players int) (bool, error) {
				probe, err := c.run(ctx, r, server, load{publishers: 1, players: players})
				return carried(probe.Report), err
			})
			if err != nil {
				return err
			}
			r.Case, r.Contender, r.Players, r.Value = caseMost, server.name, most, float64(most)
			r.AtLimit = most == limit
			c.add(r, time.Since(started))
			// The next search need not come all the way again.
			starts[server.name] = max(most, fewestPlayers)
		}
	}
	return nil
}

// searchLimit is how many players are tried at most.
func searchLimit() int { return min(mostPlayers, fileLimit()-otherFiles) }

// caseMost marks the outcome of a search among its probes.
const caseMost = "most players"

// carried reports whether a server kept up with all its players: nearly
// everything arrived, nobody was dropped, and the lag neither grew nor became
// unbearable.
func carried(r *bench.Report) bool {
	return r != nil && r.Failed == 0 && r.Ended == 0 && r.Delivered != nil && *r.Delivered >= leastDelivered &&
		r.Lag != nil && r.Lag.P99 < longestLag &&
		r.LagFirst != nil && r.LagLast != nil && *r.LagLast <= *r.LagFirst+growingLag
}

// search returns the most players that are carried, or 0: from start it goes up,
// not beyond limit, or down until it has one number that is and one that is not,
// and then halves the distance.
func search(start, limit int, carries func(players int) (bool, error)) (int, error) {
	good, bad := 0, 0
	step := firstStep
	for players := min(start, limit); players >= fewestPlayers && good < limit && (good == 0 || bad == 0); {
		ok, err := carries(players)
		if err != nil {
			return good, err
		}
		if ok {
			good = players
			players = min(int(float64(players)*step), limit)
		} else {
			bad = players
			players = int(float64(players) / step)
		}
		step = searchStep
	}
	for good > 0 && bad-good > 1 && float64(bad-good) > searchError*float64(bad) {
		middle := (good + bad) / 2
		ok, err := carries(middle)
		if err != nil {
			return good, err
		}
		if ok {
			good = middle
		} else {
			bad = middle
		}
	}
	return good, nil
}
