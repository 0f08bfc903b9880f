package app

import (
	"context"
	"time"
)

// restartPause is how long a part that panicked rests before it is started again.
const restartPause = time.Second

// keepRunning runs a part that works beside the server until ctx ends. The streams
// go on without it: if it panics it is started again.
func (a *App) keepRunning(ctx context.Context, run func(context.Context) error) {
	for !a.ran(ctx, run) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(restartPause):
		}
	}
}

// ran reports whether a part came to its end without a panic.
func (a *App) ran(ctx context.Context, run func(context.Context) error) (ended bool) {
	defer func() {
		if p := recover(); p != nil {
			a.panics.Caught(a.log, p)
		}
	}()
	if err := run(ctx); err != nil {
		a.log.Error("a part of the server ended", "error", err)
	}
	return true
}
