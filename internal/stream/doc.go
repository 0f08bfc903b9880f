// Package stream is the heart of the server: a live channel is an append-only
// log of immutable messages in memory, and everything that leaves the server
// is a cursor on that log.
//
// A publisher appends; it never waits for anyone. Each message is laid out as
// RTMP chunks once, when it is appended, and its bytes are shared by all
// viewers. The log keeps one entry point for newcomers: metadata, the sequence
// headers of every track, and the newest keyframe group. What lies before the
// entry point and before the slowest cursor is garbage, and the garbage
// collector takes it.
//
// Timestamps are the publisher's as long as players can follow them; where they
// jump, step back or stand still, the log mends them. For viewers who stay on a
// channel, time goes on from one publication to the next.
//
// The package starts no goroutine and reads no clock: arrival times are passed
// in, and waking the viewers is for whoever listens to [Publication.Pulse].
package stream
