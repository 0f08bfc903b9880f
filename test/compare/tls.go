package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

const (
	tlsPlayers = 300
	// caseSeal is the CPU time for encryption alone, in seconds per GB.
	caseSeal = "seal"
)

// tls compares RTMPS with RTMP of the same round, and with what the encryption
// alone costs.
func (c *comparison) tls(ctx context.Context) error {
	for round := 1; round <= c.options.rounds; round++ {
		for _, server := range []contender{ourServer(ours), ourTLSServer()} {
			r := result{Step: stepTLS, Round: round}
			if _, err := c.run(ctx, r, server, load{publishers: 1, players: tlsPlayers}); err != nil {
				return err
			}
		}
		if err := c.seal(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

// seal has the floor encrypt records of TLS on the server's core.
func (c *comparison) seal(ctx context.Context, round int) error {
	started := time.Now()
	cmd := pinned(ctx, serverCore, c.places.floor(), "-seal")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("measure encryption: %w", err)
	}
	var got struct {
		Seconds float64 `json:"cpu_seconds_per_gb"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return fmt.Errorf("measure encryption: %w", err)
	}
	c.add(result{Step: stepTLS, Case: caseSeal, Round: round, Contender: floor, Value: got.Seconds}, time.Since(started))
	return nil
}
