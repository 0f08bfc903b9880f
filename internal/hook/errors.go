package hook

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
)

// The reasons why [Hook.Start] refuses a publisher. Its errors wrap one of them, or the error of the caller's context.
var (
	// ErrRefused means that the backend answered with a status other than 200.
	ErrRefused = errors.New("callback refused")
	// ErrBadReply means that the backend answered with status 200 and without a usable stream-id.
	ErrBadReply = errors.New("callback answered without a usable stream-id")
	// ErrUnavailable means that there was no complete HTTP answer in time.
	ErrUnavailable = errors.New("callback unavailable")
	// ErrOverloaded means that too many other publishers wait for the backend.
	ErrOverloaded = errors.New("callback overloaded")
	// ErrCircuitOpen means that the backend failed lately, so that it was not even asked.
	ErrCircuitOpen = errors.New("callback not asked: the backend fails")
	// ErrJournal means that the accepted start could not be recorded.
	ErrJournal = errors.New("journal of stop events")
	// ErrClosed means that the hook shuts down.
	ErrClosed = errors.New("callback shut down")
)

// The reasons why [New] fails.
var (
	// ErrOptions means that the URL or the secret cannot be used.
	ErrOptions = errors.New("callback settings")
	// ErrLocked means that another process uses the state directory.
	ErrLocked = errors.New("state directory is in use by another process")
)

// plainTexts begin the errors of net/http that have no type of their own, are worth reading and quote nothing.
var plainTexts = []string{
	"net/http: server response headers exceeded",
	"http: server gave HTTP response to HTTPS client",
	"http: server closed idle connection",
}

// cause says why an exchange failed. The errors of net/http quote the URL and what the peer sent, and a peer that echoes requests
// sends keys and tokens: only the texts of errors that are known to quote neither are passed on.
func cause(err error) string {
	var (
		broken    *net.OpError
		untrusted *tls.CertificateVerificationError
		notTLS    tls.RecordHeaderError
		alert     tls.AlertError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no complete answer in time"
	case errors.As(err, &untrusted):
		return untrusted.Error()
	case errors.As(err, &notTLS):
		return notTLS.Error()
	case errors.As(err, &alert):
		return alert.Error()
	case errors.As(err, &broken):
		return broken.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed before the end of the answer"
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		for _, text := range plainTexts {
			if strings.HasPrefix(inner.Error(), text) {
				return inner.Error()
			}
		}
	}
	return "unreadable answer"
}
