//go:build linux && !portable

package server

import (
	"slices"
	"syscall"
	"testing"
)

const directInputs = true

// watchedSocket tells when an intake is about to wait.
type watchedSocket struct {
	syscall.RawConn
	waits func()
}

func (s watchedSocket) Read(f func(fd uintptr) bool) error {
	return s.RawConn.Read(func(fd uintptr) bool {
		done := f(fd)
		if !done {
			s.waits()
		}
		return done
	})
}

// A connection that waits, as most do, has no buffer, unless it was left with
// the beginning of a header.
func TestAWaitingConnectionHoldsNoBuffer(t *testing.T) {
	client, server := tcpPair(t)
	in := newIntake(server, &journey{})
	direct := in.input.(*directInput)
	var held []bool
	direct.raw = watchedSocket{direct.raw, func() {
		held = append(held, in.buffer != nil)
		_, _ = client.Write(make([]byte, 10))
	}}
	p := make([]byte, 10)
	for range 2 {
		if n, err := in.Read(p); n != 10 || err != nil {
			t.Fatal(n, err)
		}
	}
	if _, err := in.Discard(5); err != nil {
		t.Fatal(err)
	}
	if b, err := in.Peek(11); len(b) != 11 || err != nil {
		t.Fatal(len(b), err)
	}
	if n, err := in.Discard(15); n != 15 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := in.Read(make([]byte, 100_000)); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	if want := []bool{false, false, false, true, false}; !slices.Equal(held, want) {
		t.Errorf("held a buffer while waiting: %v, want %v", held, want)
	}
}
