package hook

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

// startTimeout bounds a start in all: the wait for a turn, the connection, the reply's header and its body.
const startTimeout = 5 * time.Second

// verdict is the outcome of a start.
type verdict struct {
	streamID string
	err      error
}

// Start asks the backend whether r may publish, and returns the id that it gave to the stream. It takes 5 s at most, and ends
// at once when ctx does. An error refuses the publisher and wraps one of the errors of this package or that of ctx. Whoever
// gets an id must pass it to [Hook.Stop] once; if the backend accepts after ctx has ended, the hook does so itself.
func (h *Hook) Start(ctx context.Context, r access.Request) (streamID string, err error) {
	began := time.Now()
	streamID, err = h.start(ctx, r)
	outcome := outcomeOf(err)
	h.counters.start(outcome)
	h.observe(Start, outcome, time.Since(began))
	return streamID, err
}

func (h *Hook) start(ctx context.Context, r access.Request) (string, error) {
	if ctx.Err() != nil {
		return "", gone(ctx)
	}
	if !h.begin() {
		return "", ErrClosed
	}
	life, cancel := context.WithTimeout(h.base, startTimeout)
	if err := h.gate.enter(ctx, life); err != nil {
		cancel()
		h.starts.Done()
		return "", err
	}
	verdicts := make(chan verdict)
	go func() {
		defer h.starts.Done()
		defer cancel()
		v := h.ask(life, r)
		select {
		case verdicts <- v: // taken by the caller, in whose hands the id is from here on
		case <-ctx.Done():
			h.abandon(r, v)
		}
	}()
	select {
	case v := <-verdicts:
		return v.streamID, v.err
	case <-ctx.Done():
		return "", gone(ctx)
	}
}

// begin registers a start that Shutdown has to wait for, unless it has come already.
func (h *Hook) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return false
	}
	h.starts.Add(1)
	return true
}

// ask sends the start event. An id that it returns is in the journal.
func (h *Hook) ask(ctx context.Context, r access.Request) verdict {
	re, err := h.exchange(ctx, r)
	if err != nil {
		return verdict{err: err}
	}
	id, err := re.streamID()
	if err != nil {
		return verdict{err: err}
	}
	s := session{r, id}
	err = h.journal.started(s)
	if re.broken != nil {
		// The backend takes the start for accepted, although it is refused here.
		err = fmt.Errorf("%w: %s", ErrUnavailable, cause(re.broken))
	}
	if err != nil {
		h.queue.add(s)
		return verdict{err: err}
	}
	return verdict{streamID: id}
}

// exchange posts the start event through the circuit, and leaves the gate.
func (h *Hook) exchange(ctx context.Context, r access.Request) (reply, error) {
	defer h.gate.leave()
	if h.base.Err() != nil {
		return reply{}, ErrClosed
	}
	probe, ok := h.circuit.admit(time.Now())
	if !ok {
		return reply{}, ErrCircuitOpen
	}
	re, err := h.post(ctx, eventStart, session{Request: r})
	healthy := err == nil && re.healthy()
	changed := h.circuit.report(time.Now(), probe, healthy)
	switch {
	case h.base.Err() != nil && err != nil:
		return reply{}, ErrClosed
	case changed && healthy:
		h.log.Info("callback backend answers again")
	case changed:
		h.log.Warn("callback backend fails, publishers are refused", "error", failure(re, err))
	}
	if err != nil {
		return reply{}, failure(re, err)
	}
	return re, nil
}

// failure describes an exchange that did not go well.
func failure(re reply, err error) error {
	if err == nil {
		err = re.broken
	}
	if err == nil || re.status >= http.StatusMultipleChoices {
		return fmt.Errorf("%w with status %d", ErrRefused, re.status)
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, cause(err))
}

// abandon ends a start whose caller is gone.
func (h *Hook) abandon(r access.Request, v verdict) {
	if v.err == nil {
		h.counters.abandoned.Add(1)
		h.queue.add(session{r, v.streamID})
	}
}

// start counts the outcome of a start.
func (c *counters) start(o Outcome) {
	switch o {
	case Accepted:
		c.accepted.Add(1)
	case Refused:
		c.refused.Add(1)
	case Shed:
		c.shed.Add(1)
	case Failed:
		c.failed.Add(1)
	}
}
