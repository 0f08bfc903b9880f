package main

import "context"

// ingestPublishers is how many encoders send at once, with nobody watching.
const ingestPublishers = 500

// ingestTurns is how many rounds of this step there are for each of the others: what
// nginx-rtmp takes varies by a fifth from one to the next.
const ingestTurns = 3

// ingest measures what it takes to receive.
func (c *comparison) ingest(ctx context.Context) error {
	for round := 1; round <= ingestTurns*c.options.rounds; round++ {
		for _, server := range []contender{ourServer(ours), nginxServer()} {
			r := result{Step: stepIngest, Round: round}
			if _, err := c.run(ctx, r, server, load{publishers: ingestPublishers}); err != nil {
				return err
			}
		}
	}
	return nil
}
