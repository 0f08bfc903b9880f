//go:build !linux || portable

package socket

import "net"

// Writer is where the system has no direct writes: a goroutine writes
// what there is for a viewer, and waits for its socket.
type Writer struct{}

// Vectors is the memory of a direct write.
type Vectors struct{}

// NewWriter returns nil.
func NewWriter(net.Conn) *Writer { return nil }

// Write is not called where there is no Writer.
func (*Writer) Write(net.Buffers, *Vectors, bool) (int, error) { panic("no direct writes") }

// WritePipe is not called where there is no Writer.
func (*Writer) WritePipe(int, net.Buffers, *Vectors) (int, error) { panic("no direct writes") }
