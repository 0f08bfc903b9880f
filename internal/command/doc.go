// Package command listens for the commands of operators on a Redis Pub/Sub
// channel and carries them out:
//
//	kill-session>CHANNEL             closes every session of the channel
//	close-stream>CHANNEL|STREAM_ID   closes the publisher of exactly that stream
//	request-reconnect>CHANNEL        asks every session of the channel that can be
//	                                 asked to connect anew
//	request-reconnect>CHANNEL|URL    and to a server with this tcUrl
//
// Each message is one command. Anything else is counted, logged within limits
// and ignored: whoever may write to the channel must not be able to hurt the
// server with it.
//
// Nor must Redis itself, be it down, frozen, slow, restarted or no Redis at
// all: a [Listener] touches nothing but its [Target], bounds the time and the
// memory that every reply may take, and reconnects by itself. Pub/Sub stores
// nothing, so that a command sent while the listener is disconnected is lost;
// [Stats] tells for how long that was.
package command
