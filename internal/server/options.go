package server

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/logs"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// Authorizer decides who may publish.
type Authorizer interface {
	// Start asks whether a publication may begin and returns the id of the
	// stream. It is called without any lock, and gives up when ctx ends, as it
	// does when the server stops or the client's time is up; nothing is read
	// from the client meanwhile, so that nobody notices if it leaves. An error
	// refuses the publisher; its text is for the log, not for the client.
	Start(ctx context.Context, r access.Request) (streamID string, err error)
	// Stop reports the end of a publication that Start accepted, once for each.
	// It must not block.
	Stop(r access.Request, streamID string)
}

// Everyone is the Authorizer of a server that has none: all may publish, under
// an id that close-stream commands can name.
type Everyone struct{}

// Start accepts.
func (Everyone) Start(context.Context, access.Request) (string, error) { return rand.Text(), nil }

// Stop does nothing.
func (Everyone) Stop(access.Request, string) {}

// Options are the settings of a [Server].
type Options struct {
	// Registry holds the channels. Required.
	Registry *stream.Registry
	// Authorizer may be nil: then it is [Everyone].
	Authorizer Authorizer
	// MaxConnections is how many connections there may be, and a quarter of it how
	// many of them may have neither published nor played yet; 0 means any number.
	MaxConnections int
	// MaxIncomplete is the most memory, in bytes, for incomplete messages of all
	// connections together; 0 means that there is no such bound.
	MaxIncomplete int64
	// Limiter counts the connections of each address. Required.
	Limiter *access.Limiter
	// Guesses counts the wrong keys of each address. It may be nil: then anybody
	// may try any number.
	Guesses *access.Guesses
	// Players are the addresses that may play.
	Players access.List
	// ChunkSize is the outgoing chunk size; it must be that of the registry.
	ChunkSize int
	// MaxBitrate is how much a connection may send, in Mbit/s; 0 means any amount.
	MaxBitrate int
	// IDMaxLength is the longest channel and key.
	IDMaxLength int
	// MaxWriteDelay is how long a message may wait for others that go out with it when
	// there are many viewers, see [fanout.Options]; 0 means that none waits.
	MaxWriteDelay time.Duration
	// PlayWait is how long a player may wait for a channel that is not live; 0
	// means for ever.
	PlayWait time.Duration
	// Enhanced says what players that announce nothing get of Enhanced RTMP, and
	// HEVC in which form they get H.265.
	Enhanced EnhancedPolicy
	HEVC     HEVCPolicy
	// PublishGrace is for how long players are left in peace when a publisher
	// was cut off, since it may come back; 0 means not at all.
	PublishGrace time.Duration
	// Ended is told of each publication and each player that is over, and of each
	// connection that came to neither, if it is not nil. It must not block.
	Ended func(stream.End)
	// Passed is told of each pass over the viewers of a channel, see [fanout.Run], if
	// it is not nil. It must not block.
	Passed func(viewers int, took time.Duration)
	// Log takes one line for each step of a session. Required.
	Log *slog.Logger
	// Panics counts the panics that end sessions. It may be nil.
	Panics *logs.Panics
	// LogRequests switches the lines for connect, publish, play and end on.
	LogRequests bool
}

// The deadlines of a connection.
const (
	// handshakeTimeout bounds the handshake from accept to C2, in all and not
	// for each read. It stops peers that send nothing, or a byte a second.
	handshakeTimeout = 5 * time.Second
	// acceptTimeout bounds the time from accept to an accepted publish or
	// play. It stops peers that occupy a connection without a purpose.
	acceptTimeout = 10 * time.Second
	// publisherTimeout is the longest silence of a publisher, measured in media
	// and not in bytes: pings alone do not hold a channel.
	publisherTimeout = 30 * time.Second
	// idleTimeout bounds the time that a connection which has stopped
	// publishing and playing may take to do either again.
	idleTimeout = 30 * time.Second
	// pingAfter is how long a player's connection may be silent in both
	// directions before it is pinged, and pongTimeout how long it then has to
	// send anything at all.
	pingAfter   = 60 * time.Second
	pongTimeout = 30 * time.Second
	// stallTimeout is how long a write may make no progress. By then the kernel
	// holds as much for the viewer as it takes, so that together a viewer that
	// stops reading is gone within 10 s.
	stallTimeout = 5 * time.Second
	// unreachableTimeout is how long sent bytes may stay unacknowledged. It
	// bridges what a phone needs to change its network.
	unreachableTimeout = 8 * time.Second
	// lingerTimeout is how long a peer has to read the last answer and to
	// close, so that it learns the reason rather than of a reset.
	lingerTimeout = time.Second
	// lagLimit is how far a viewer may fall behind before it moves on to the
	// newest keyframe group.
	lagLimit = 4 * time.Second
)

// The budgets of a connection.
const (
	// maxMessageStreams is how many message streams a client may have. It
	// stops a flood of createStream. OBS and FFmpeg use one.
	maxMessageStreams = 8
	// maxControlQueue bounds the answers that wait for a peer which does not
	// read them. It stops a flood of calls and pings.
	maxControlQueue = 64 << 10
	// withheldNoticed is how many messages are withheld from a player before the
	// log tells, about a second of video: single ones that have no legacy form, as
	// colour information, are nobody's loss.
	withheldNoticed = 32
	// messageRate and messageBurst bound the messages of a peer per second. An
	// empty message takes one byte on the wire; a real stream has 100 a second.
	messageRate, messageBurst = 20_000, 100_000
	// messagesAtOnce is how many messages are charged for together.
	messagesAtOnce = 1024
	// chunkRate and chunkBurst bound the chunks of a peer per second. They stop
	// a flood of one-byte chunks; a stream of 64 Mbit/s in the default chunk
	// size has 62,500 a second.
	chunkRate, chunkBurst = 500_000, 2_000_000
	// pingRate and pingBurst bound the pings that are answered per second.
	pingRate, pingBurst = 10, 20
	// maxTLSHandshakes is how many TLS handshakes may run at once, over all
	// connections. It stops a flood of them from taking all processors: each
	// costs a thousand times what it costs the client to ask for it.
	maxTLSHandshakes = 64
	// startRate and startBurst bound the commands per second that publish or
	// play. They stop a client that fills the log, or keeps the authorizer
	// busy, by starting and ending all the time.
	startRate, startBurst = 1, 20
)
