package coordinator

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/AgustinSRG/rtmp-server/internal/logs"
)

// The pauses between attempts to connect double from least to most.
const (
	minPause = time.Second
	maxPause = 30 * time.Second
)

// Target carries the coordinator's orders out. Neither call may block.
type Target interface {
	// KillSession closes every session of the channel and returns how many
	// there were.
	KillSession(channel string) int
	// CloseStream closes the publisher of exactly that stream, and reports
	// whether there was one.
	CloseStream(channel, streamID string) bool
}

// Options are the settings of a [Coordinator].
type Options struct {
	// BaseURL is the http, https, ws or wss URL that ws/control/rtmp is under.
	BaseURL string
	// Secret signs the token that every connection begins with.
	Secret string
	// ExternalIP, ExternalPort and ExternalSSL say how clients reach this
	// server, where that is not what the coordinator sees. All may be zero.
	ExternalIP   netip.Addr
	ExternalPort int
	ExternalSSL  bool
	// Target carries orders out. Required.
	Target Target
	// Log takes a line when the coordinator is lost and when it is back, for
	// each order, and a limited number of them for its errors. Required.
	Log *slog.Logger
	// Panics counts messages of the coordinator that panic. It may be nil.
	Panics *logs.Panics
	// TLS may be nil.
	TLS *tls.Config
	// DialContext may be nil.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Coordinator is the server's side of the connection to its coordinator. Start
// and Stop may be called at any time from any goroutine.
type Coordinator struct {
	options  Options
	endpoint string
	client   *http.Client
	jitter   func(time.Duration) time.Duration
	// noise limits the log lines that the coordinator can cause without effect.
	noise *rate.Limiter
	// token is the one of the present connection; it belongs to Run, and to
	// what runs while the connection is there.
	token string

	wake chan struct{} // there is something to write

	mu        sync.Mutex
	connected bool
	requests  requests
	ends      ends
}

// New returns a Coordinator that does nothing until Run is called. The error
// says what cannot be used.
func New(o Options) (*Coordinator, error) {
	target, err := endpoint(o.BaseURL)
	if err != nil {
		return nil, err
	}
	if o.Secret == "" {
		return nil, errors.New("secret is empty")
	}
	if o.Panics == nil {
		o.Panics = logs.NewPanics()
	}
	return &Coordinator{
		options:  o,
		endpoint: target,
		client:   newClient(o),
		jitter:   jitter,
		noise:    rate.NewLimiter(rate.Every(time.Second), 10),
		wake:     make(chan struct{}, 1),
		requests: newRequests(),
	}, nil
}

// jitter takes up to half of a pause away, so that servers which lost the same
// coordinator do not come back to it in step.
func jitter(pause time.Duration) time.Duration {
	return pause - rand.N(pause/2+1) // #nosec G404 -- nobody gains from guessing it
}

// Run keeps the connection until ctx ends; it then sends what is left to tell,
// for 2 s at most, and returns nil. It must be called once.
//
// A server that stops lets its sessions end first, so that the ends are sent.
func (c *Coordinator) Run(ctx context.Context) error {
	c.keepConnected(ctx)
	c.reportLost()
	return nil
}

func (c *Coordinator) keepConnected(ctx context.Context) {
	away := false // as the log has it
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		ws, err := c.dial(ctx)
		if err == nil {
			c.options.Log.Info("coordinator connected")
			away = false
			connected := time.Now()
			err = c.converse(ctx, ws)
			if time.Since(connected) >= maxPause { // else it drops whoever connects
				pause = minPause
			}
		}
		if ctx.Err() != nil {
			return
		}
		if !away {
			c.options.Log.Warn("coordinator away, nobody can start to publish", "error", c.presentable(err.Error()))
			away = true
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(c.jitter(pause)):
		}
	}
}

// reportLost logs at the end how many ends of streams the coordinator missed.
func (c *Coordinator) reportLost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.ends.list) + c.ends.lost; n > 0 {
		c.options.Log.Warn("the coordinator was not told of the end of streams", "streams", n)
	}
}
