package main

import "context"

// ingestPublishers is how many encoders send at once, with nobody watching.
const ingestPublishers = 500

// ingest measures what it takes to receive.
func (c *comparison) ingest(ctx context.Context) error {
	for round := 1; round <= c.options.rounds; round++ {
		for _, server := range []contender{ourServer(ours), nginxServer()} {
			r := result{Step: stepIngest, Round: round}
			if _, err := c.run(ctx, r, server, load{publishers: ingestPublishers}); err != nil {
				return err
			}
		}
	}
	return nil
}
