package httpflv

import (
	"log/slog"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/logs"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// Host is the server that has the bounds of the whole process.
type Host interface {
	// Admit takes a place for a connection, or says why there is none. Its owner
	// calls leave once.
	Admit() (leave func(), refused stream.Reason)
	// LogRefusal writes a line for a connection that came to nothing, unless there
	// were enough of them of late.
	LogRefusal(log *slog.Logger, level slog.Level, reason stream.Reason, message string, attrs ...any)
	// LogStep writes a line for a step of a session, unless there were enough of it
	// of late for that role.
	LogStep(log *slog.Logger, step, role string, attrs ...any)
}

// Options are the settings of a [Server].
type Options struct {
	// Registry holds the channels. Required.
	Registry *stream.Registry
	// Host has the places. Required.
	Host Host
	// MaxNewcomers is how many connections may have had no viewer yet; 0 means any
	// number.
	MaxNewcomers int
	// Limiter counts the connections of each address. Required.
	Limiter *access.Limiter
	// Guesses counts the wrong keys of each address. It may be nil: then anybody
	// may try any number.
	Guesses *access.Guesses
	// Players are the addresses that may play.
	Players access.List
	// IDMaxLength is the longest channel and key.
	IDMaxLength int
	// PlayWait is how long a viewer may wait for a channel that is not live; 0, or
	// what is more than waitLimit, means waitLimit.
	PlayWait time.Duration
	// Origin is the origin whose pages may play, "*" for all, or empty for none but
	// the server's own.
	Origin string
	// Enhanced are the codecs that viewers are sent in the layout of Enhanced RTMP
	// unless they wish otherwise, and HEVC is the form in which they get H.265.
	Enhanced media.Codecs
	HEVC     media.HEVCForm
	// Ended is told of each viewer that is over, and of each request and connection
	// that was refused, if it is not nil. It must not block.
	Ended func(stream.End)
	// Log takes one line for each step of a viewer. Required.
	Log *slog.Logger
	// Panics counts the panics that end viewers. It may be nil.
	Panics *logs.Panics
	// LogRequests switches the lines for play and end on.
	LogRequests bool
}

// Pauses after a failed accept.
const (
	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// The deadlines of a connection.
const (
	// requestTimeout bounds TLS, header and body of a request. It stops peers that
	// send a byte a second.
	requestTimeout = 5 * time.Second
	// idleTimeout is how long a connection without a viewer may be kept for
	// another request, as the one behind a preflight of CORS.
	idleTimeout = 10 * time.Second
	// waitLimit is how long a viewer waits at most for a channel to go live:
	// proxies give up after a minute of silence.
	waitLimit = 30 * time.Second
	// stallTimeout is how long a write may make no progress.
	stallTimeout = 5 * time.Second
	// unreachableTimeout is how long sent bytes may stay unacknowledged.
	unreachableTimeout = 8 * time.Second
	// pingEach is how often a WebSocket is pinged, and pongTimeout how long its
	// peer may be silent then. Proxies end what is silent for a minute.
	pingEach    = 25 * time.Second
	pongTimeout = 60 * time.Second
	// lingerTimeout is how long a peer has to close its side at the end.
	lingerTimeout = time.Second
	// lagLimit is how far a viewer may fall behind before it moves on to the newest
	// keyframe group.
	lagLimit = 4 * time.Second
	// lagLogInterval is how often the log tells of one viewer that is too slow.
	lagLogInterval = 10 * time.Second
)

// The budgets of a connection.
const (
	// maxHeader bounds the header of a request, to which net/http adds 4 KiB. It
	// stops peers that fill the memory with headers.
	maxHeader = 12 << 10
	// maxStreams is how many viewers may share a connection of HTTP/2. It stops
	// one connection from being a thousand viewers, where connections are counted.
	maxStreams = 8
	// maxChatter is how many bytes a viewer may send that nobody asked for. It
	// stops peers that upload for ever.
	maxChatter = 64 << 10
	// frameRate and frameBurst bound the WebSocket frames that a viewer sends per
	// second. They stop a flood of pings.
	frameRate, frameBurst = 10, 100
	// maxBatch is how many bytes of media are gathered before they are written,
	// and the most that has to move within stallTimeout.
	maxBatch = 256 << 10
	// maxPiece is the largest piece of one tag in a write, and maxPieces the most
	// pieces; Linux takes 1,024 in one call.
	maxPiece  = 64 << 10
	maxPieces = 256
)
