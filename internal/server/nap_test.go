//go:build linux && !portable

package server

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// napper is an intake over TCP that can rest.
type napper struct {
	*intake
	ended chan struct{}
}

type noOwner struct{}

func (noOwner) settle() error { return nil }
func (noOwner) noteRead()     {}
func (noOwner) rise()         {}

// rests reports whether a rest is still under way after the poller has had
// every chance to end it: another connection's bytes came through it meanwhile.
func (n *napper) rests(t *testing.T) bool {
	t.Helper()
	for range 50 {
		client, server := tcpPair(t)
		if _, err := client.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-n.ended:
		return false
	default:
		return true
	}
}

func startNap(in *intake) *napper {
	n := &napper{in, make(chan struct{})}
	go func() {
		defer close(n.ended)
		in.rest()
	}()
	return n
}

func TestRestsEndWithMuchTheEndOrTheDeadline(t *testing.T) {
	text := bytes.Repeat([]byte("text"), napBytes/4)
	for name, c := range map[string]struct {
		end  func(client io.WriteCloser, deadline func(time.Time) error) error
		want []byte
	}{
		"much":         {func(c io.WriteCloser, _ func(time.Time) error) error { _, err := c.Write(text[4:]); return err }, text},
		"the end":      {func(c io.WriteCloser, _ func(time.Time) error) error { return c.Close() }, text[:4]},
		"the deadline": {func(_ io.WriteCloser, set func(time.Time) error) error { return set(longAgo) }, text[:4]},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := tcpPair(t)
			in := newIntake(server, noOwner{})
			if !in.canRest() {
				t.Fatal("TCP cannot rest")
			}
			n := startNap(in)
			if _, err := client.Write(text[:4]); err != nil {
				t.Fatal(err)
			}
			if !n.rests(t) {
				t.Error("a few bytes ended the rest")
			}
			if err := c.end(client, server.SetReadDeadline); err != nil {
				t.Fatal(err)
			}
			<-n.ended
			if err := server.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(c.want))
			if _, err := io.ReadFull(in, got); err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("other bytes came, %v", err)
			}
		})
	}
}

// TestWaitingAfterARestHearsOfAnyByte has the mark of the rest lowered again.
func TestWaitingAfterARestHearsOfAnyByte(t *testing.T) {
	client, server := tcpPair(t)
	in := newIntake(server, noOwner{})
	if err := server.SetReadDeadline(longAgo); err != nil {
		t.Fatal(err)
	}
	in.rest()
	if err := server.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	read := make(chan byte)
	go func() {
		b, _ := in.ReadByte()
		read <- b
	}()
	if _, err := client.Write([]byte{7}); err != nil {
		t.Fatal(err)
	}
	if b := <-read; b != 7 {
		t.Errorf("read %d", b)
	}
}

func TestPortableInputsDoNotRest(t *testing.T) {
	if newIntake(&sink{}, noOwner{}).canRest() {
		t.Error("an input that reads while it waits cannot rest")
	}
}

func TestGatherTimeHoldsForDays(t *testing.T) {
	for _, c := range []struct {
		elapsed time.Duration
		bytes   uint64
		want    time.Duration
	}{
		{time.Second, napBytes - 1, time.Second},
		{time.Millisecond, 10*napBytes - 1, 100 * time.Microsecond},
		{100 * 24 * time.Hour, 86_400*100*napBytes - 1, time.Second},
		{100 * 24 * time.Hour, 0, time.Minute},
		{0, 0, 0},
	} {
		if got := gatherTime(c.elapsed, c.bytes).Round(time.Microsecond); got != c.want {
			t.Errorf("%v and %d bytes: %v, want %v", c.elapsed, c.bytes, got, c.want)
		}
	}
}
