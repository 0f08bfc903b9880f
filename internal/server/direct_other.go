//go:build !linux || portable

package server

import "net"

// directWriter is where the system has no direct writes: a goroutine writes
// what there is for a viewer, and waits for its socket.
type directWriter struct{}

type directBatch struct{}

func newDirectWriter(net.Conn) *directWriter { return nil }

func (*directWriter) write(net.Buffers, *directBatch, bool) (int, error) { panic("no direct writes") }
