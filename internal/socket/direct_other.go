//go:build !linux || portable

package socket

import "net"

// Writer is where the system has no direct writes: a goroutine writes
// what there is for a viewer, and waits for its socket.
type Writer struct{}

// Call is the memory of a direct write.
type Call struct{}

// NewWriter returns the zero value.
func NewWriter(net.Conn) Writer { return Writer{} }

// Exists reports that there is no way to write.
func (*Writer) Exists() bool { return false }

// Fetch does nothing.
func (*Writer) Fetch() {}

// Write is not called where there is no Writer.
func (*Writer) Write(net.Buffers, *Call, bool) (int, error) { panic("no direct writes") }

// WritePipe is not called where there is no Writer.
func (*Writer) WritePipe(int, net.Buffers, *Call) (int, error) { panic("no direct writes") }
