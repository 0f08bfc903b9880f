//go:build !linux

package bench

import "context"

// newCrowd returns players of a goroutine each: the event loop needs epoll.
func (r *run) newCrowd(_ context.Context, t *tally) (group, error) {
	return r.newReaders(t, readerBuffer, false), nil
}
