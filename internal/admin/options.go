package admin

import (
	"log/slog"
	"net/http"
	"time"
)

// Options are the settings of a [Server].
type Options struct {
	// Source is the server that is administered. Required.
	Source Source
	// Host is the name by which browsers may ask for the administration beside
	// addresses and localhost; empty if there is none.
	Host string
	// Token is what the operator has to show; empty means that who reaches the
	// server may do everything.
	Token string
	// Version is that of the program.
	Version string
	// Endpoints are where clients of the server go.
	Endpoints Endpoints
	// Metrics answers /metrics; nil means that there are none.
	Metrics http.Handler
	// Page answers what is no part of the API: the page and its files. It is
	// asked on behalf of the operator only. It may be nil.
	Page http.Handler
	// Preview answers WebSocket requests for the stream of a channel, which is the
	// path value "channel". Who asks has been found to be allowed. It may be nil.
	Preview http.Handler
	// Log takes a line for each thing that an operator does. Required.
	Log *slog.Logger
}

// The bounds of what is kept and told.
const (
	// keptEnds are remembered; more would be the business of the log.
	keptEnds = 500
	// maxListed is the most that one answer lists of something, so that a hundred
	// thousand viewers do not make one of many megabytes.
	maxListed = 10_000
	// usuallyListed is how much it lists if it is not asked for more.
	usuallyListed = 1000
	// maxListeners stops those who open streams of events without end.
	maxListeners = 32
	// maxPending is how many events may wait for a listener before it is given up;
	// a page connects again by itself.
	maxPending = 64
	// eventTimeout is how long one event may take to be taken.
	eventTimeout = 5 * time.Second
	// stateInterval is how often listeners hear of the state.
	stateInterval = time.Second
	// ticketLifetime is how long the page has to begin a preview.
	ticketLifetime = time.Minute
	// maxTickets stops those who ask for tickets without end.
	maxTickets = 1024
	// maxURL is the longest URL that clients are sent to, which they all take.
	maxURL = 1024
)

// The bounds of a request.
const (
	// headerTimeout stops clients that send their header a byte a second.
	headerTimeout = 5 * time.Second
	// requestTimeout is for header and body together, and stops those that send
	// their body so.
	requestTimeout = 10 * time.Second
	// answerTimeout stops clients that do not take their answer, and with it
	// occupy a connection and what is to be written.
	answerTimeout = 15 * time.Second
	// idleTimeout stops clients that occupy connections with nothing to ask.
	idleTimeout = time.Minute
	// maxHeader stops headers that fill the memory. net/http adds 4 KiB of its
	// own, so that 16 KiB is what passes.
	maxHeader = 12 << 10
	// maxBody stops bodies that do.
	maxBody = 64 << 10
	// MaxConnections stops floods of connections from taking the descriptors that
	// streams need, beside which there have to be as many.
	MaxConnections = 256
	// stopTimeout is for answers on their way when the server stops.
	stopTimeout = time.Second
)
