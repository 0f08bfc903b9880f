// Package bench is the load generator behind `rtmp-server bench`: it publishes
// synthetic streams to an RTMP server, plays them with thousands of players,
// and reports what arrived, how late, and what it cost the server.
//
// It works against any RTMP server. What it sends parses as H.264 and AAC, and
// every frame carries a marker with a sequence number and its time of sending,
// by which each player finds what was left out and how late the rest came.
//
// The generator has to be cheaper than what it measures. A [player] is a state
// machine without a socket that looks at the first bytes of a message only. On
// Linux one event loop reads for all of them on a tick, so that the server does
// not pay for waking thousands of readers; a few watchers, which wake on each
// event, measure the latency.
//
// Only messages that were published within the measured window count, on both
// sides, whenever they arrive, so that what was expected and what was delivered
// are the same messages to the last byte.
package bench
