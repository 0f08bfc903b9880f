package hook

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/logs"
)

// defaultSubject is the sub claim that backends expect.
const defaultSubject = "rtmp_event"

// shortSecret is the size of an HS256 signature: a secret of fewer bytes is easier to guess than a signature (RFC 7518 section 3.2).
const shortSecret = 32

// Options are the settings of a [Hook].
type Options struct {
	// URL is where events go: http or https, with a host and without a fragment. A user and password in it are sent as
	// basic authentication. Required.
	URL string
	// Secret signs the tokens. Required.
	Secret []byte
	// Subject is the sub claim; empty means rtmp_event.
	Subject string
	// Host and Port are the claims rtmp_host and rtmp_port. An empty host is sent as such.
	Host string
	Port int
	// StateDir is where the journal of stop events is, and made if it does not exist. Empty means that stop events are lost with the process.
	StateDir string
	// Log takes a line when the backend fails and when it recovers, not for each request. Nil means no log.
	Log *slog.Logger
	// Observe is told of each start, and of each attempt to deliver a stop, if it is not nil: what came of it, and how long
	// that took. It must not block.
	Observe func(e Event, o Outcome, took time.Duration)
	// Panics counts requests that panic. Nil means a counter of its own.
	Panics *logs.Panics
	// RootCAs are the certificate authorities that the backend's certificate may come from; nil means the system's.
	RootCAs *x509.CertPool
	// Dial opens the connections to the backend; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Hook sends the events of one server to its backend. All methods may be called by any number of goroutines.
type Hook struct {
	log      *slog.Logger
	observe  func(Event, Outcome, time.Duration)
	panics   *logs.Panics
	backend  *backend
	gate     *gate
	circuit  circuit
	journal  *journal // nil without a state directory
	queue    *queue
	counters counters

	base   context.Context // ends when requests must
	cancel context.CancelFunc
	starts sync.WaitGroup // start requests that may still be accepted, with or without a caller

	mu      sync.Mutex
	closing bool
	closed  chan struct{}
}

// counters are behind [Stats].
type counters struct {
	accepted, refused, failed, shed, abandoned               atomic.Uint64
	stopsDelivered, stopsRejected, stopsFailed, stopsDropped atomic.Uint64
}

// Stats are totals since [New].
type Stats struct {
	Accepted  uint64 // starts with an id
	Refused   uint64 // starts with an answer other than that
	Failed    uint64 // starts without an answer, or without a place in the journal
	Shed      uint64 // starts for which the backend was not asked, to spare it
	Abandoned uint64 // starts that were accepted when the publisher was gone

	StopsDelivered uint64
	StopsRejected  uint64 // answered with a final 4xx
	StopsFailed    uint64 // attempts that have to be repeated
	StopsDropped   uint64 // lost: the queue was full
}

// Stats returns what has happened so far.
func (h *Hook) Stats() Stats {
	c := &h.counters
	return Stats{
		Accepted: c.accepted.Load(), Refused: c.refused.Load(), Failed: c.failed.Load(), Shed: c.shed.Load(), Abandoned: c.abandoned.Load(),
		StopsDelivered: c.stopsDelivered.Load(), StopsRejected: c.stopsRejected.Load(), StopsFailed: c.stopsFailed.Load(), StopsDropped: c.stopsDropped.Load(),
	}
}

// New returns a Hook, which must be [Hook.Shutdown] at the end. It reads the journal, if there is one, and begins to send
// the stops of the sessions that died with the last process. Its errors wrap [ErrOptions], [ErrLocked] or that of the file system, and hold no secrets.
func New(o Options) (*Hook, error) {
	target, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if len(o.Secret) == 0 {
		return nil, fmt.Errorf("%w: the secret is empty", ErrOptions)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if len(o.Secret) < shortSecret {
		o.Log.Warn("the secret of the callback is short and may be guessed", "bytes", len(o.Secret), "recommended", shortSecret)
	}
	if o.Panics == nil {
		o.Panics = logs.NewPanics()
	}
	if o.Subject == "" {
		o.Subject = defaultSubject
	}
	if o.Observe == nil {
		o.Observe = func(Event, Outcome, time.Duration) {}
	}
	var died []session
	var j *journal
	if o.StateDir != "" {
		if j, died, err = openJournal(o.StateDir, o.Log); err != nil {
			return nil, err
		}
	}
	base, cancel := context.WithCancel(context.Background())
	h := &Hook{
		log: o.Log, panics: o.Panics, observe: o.Observe,
		backend: &backend{
			url:    target,
			signer: signer{secret: slices.Clone(o.Secret), subject: o.Subject, host: o.Host, port: o.Port},
			client: newClient(o.Dial, o.RootCAs),
		},
		gate: newGate(), journal: j, base: base, cancel: cancel, closed: make(chan struct{}),
	}
	h.queue = &queue{base: base, log: o.Log, send: h.sendStop, dropped: h.dropStop, jitter: halfRandom, drained: make(chan struct{})}
	for _, s := range died {
		h.queue.add(s)
	}
	if len(died) > 0 {
		h.log.Warn("sessions died with the last process, their stop events follow", "sessions", len(died))
	}
	return h, nil
}

// Stop queues the stop event of a stream that [Hook.Start] accepted, and returns at once. After [Hook.Shutdown] it does
// nothing: what the journal has not seen stopped is sent by the next process.
func (h *Hook) Stop(r access.Request, streamID string) { h.queue.add(session{r, streamID}) }

// Pending returns the number of stop events that the backend has not taken yet.
func (h *Hook) Pending() int { return h.queue.pending() }

// errPanicked is the error of a request whose making panicked: a start is refused, and a stop tried again.
var errPanicked = errors.New("internal error")

// post sends one event. A panic costs that request only.
func (h *Hook) post(ctx context.Context, event string, s session) (re reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.panics.Caught(h.log, p, "event", event, "channel", s.Channel)
			re, err = reply{}, errPanicked
		}
	}()
	if event == eventStop {
		faultinject.At(faultinject.Deliver, s.Channel)
	}
	return h.backend.post(ctx, event, s)
}

// sendStop makes one attempt to deliver the stop of s. Nil means that it is over.
func (h *Hook) sendStop(ctx context.Context, s session) error {
	began := time.Now()
	re, err := h.post(ctx, eventStop, s)
	took := time.Since(began)
	over, taken := re.stopOver()
	switch {
	case err != nil || !over:
		h.counters.stopsFailed.Add(1)
		h.observe(Stop, Failed, took)
		return failure(re, err)
	case taken:
		h.counters.stopsDelivered.Add(1)
		h.observe(Stop, Accepted, took)
	default:
		h.counters.stopsRejected.Add(1)
		h.observe(Stop, Refused, took)
		h.log.Warn("callback backend rejected a stop event", "channel", s.Channel, "stream_id", s.streamID, "status", re.status)
	}
	h.journal.stopped(s)
	return nil
}

func (h *Hook) dropStop(s session) {
	h.counters.stopsDropped.Add(1)
	h.journal.stopped(s)
}

// Shutdown refuses further starts, waits for those on their way and delivers the stop events that are queued, all of it until ctx
// ends. Then it cuts the rest off and closes the journal, which keeps what was not delivered. The error wraps that of ctx and
// says how much that is. Stops that come during Shutdown may be too late: end the sessions first. A second call waits for the first one.
func (h *Hook) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	again := h.closing
	h.closing = true
	h.mu.Unlock()
	if again {
		select {
		case <-h.closed:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("wait for shutdown: %w", ctx.Err())
		}
	}
	defer close(h.closed)
	stop := context.AfterFunc(ctx, h.cancel)
	defer stop()
	h.starts.Wait() // ends with base at the latest
	h.queue.drain()
	h.cancel()
	left := h.queue.close()
	h.backend.client.CloseIdleConnections()
	err := h.journal.close()
	if left > 0 {
		err = errors.Join(fmt.Errorf("%d stop events are not delivered: %w", left, context.Cause(ctx)), err)
	}
	return err
}
