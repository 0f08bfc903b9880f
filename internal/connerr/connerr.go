// Package connerr names why reading from a connection failed, or writing to it, in the
// same way for all protocols.
package connerr

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// ReadReason names why reading ended.
func ReadReason(err error) stream.Reason {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return stream.ReasonClientClosed
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return stream.ReasonReset
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EHOSTUNREACH):
		return stream.ReasonUnreachable
	default:
		return stream.ReasonReadFailed
	}
}

// WriteReason names why writing failed.
func WriteReason(err error) stream.Reason {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return stream.ReasonStalled
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return stream.ReasonReset
	default:
		return stream.ReasonWriteFailed
	}
}
