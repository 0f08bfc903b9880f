package server

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// damage changes some bytes of a session, or swaps two parts of it.
func damage(random *rand.Rand, session []byte) []byte {
	session = bytes.Clone(session)
	for range 1 + random.IntN(4) {
		at := random.IntN(len(session))
		switch random.IntN(3) {
		case 0:
			session[at] = byte(random.Uint32())
		case 1:
			session[at] ^= 1 << random.IntN(8)
		default:
			n := min(random.IntN(20), len(session)-at)
			copy(session[random.IntN(len(session)-n+1):], session[at:at+n])
		}
	}
	return session
}

// TestNoClientHarmsAnother has clients say damaged things, leave in the midst of
// what they say, and stop reading, beside one that publishes and one that plays.
func TestNoClientHarmsAnother(t *testing.T) {
	conformance.Covers(t, 204, 205)
	random := rand.New(rand.NewPCG(1, 2))
	all := made(t)
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, nil)
			defer f.stop()
			canary := startCanary(f)
			var left []*rtmptest.Conn
			for i := range 30 {
				session := all[random.IntN(len(all))]
				conn := f.dial()
				left = append(left, conn)
				client := rtmp.NewClient(conn)
				if _, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
					t.Fatal(err)
				}
				if i%3 > 0 { // the others do not read
					go func() { _ = drain(conn) }()
				}
				if i%2 == 0 {
					session = damage(random, session)
				}
				go func() { _, _ = conn.Write(session) }()
				synctest.Wait()
				canary.check()
				if i%5 == 0 { // somebody leaves
					n := random.IntN(len(left))
					_ = left[n].Close()
					canary.check()
				}
			}
			for _, conn := range left {
				_ = conn.Close()
			}
			canary.check()
			canary.stop()
			synctest.Wait()
			if n := f.journal.count("level=ERROR"); n != 0 {
				t.Errorf("errors in the log:\n%v", f.journal.lines)
			}
		})
	}
}

// TestSessionsCutAnywhereLeaveNothingBehind ends each session after each of its
// bytes; the end of the fixture looks for what is left.
func TestSessionsCutAnywhereLeaveNothingBehind(t *testing.T) {
	conformance.Covers(t, 205)
	for _, session := range made(t) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, nil)
			defer f.stop()
			canary := startCanary(f)
			for n := range session {
				client, conn := f.handshaken()
				go func() { _ = drainMessages(client) }()
				_, _ = conn.Write(session[:n])
				_ = conn.Close()
			}
			canary.check()
			canary.stop()
			synctest.Wait()
			if n := f.registry.Len() + f.Connections(); n != 0 {
				t.Errorf("%d channels and connections left", n)
			}
		})
	}
}

// handshaken returns a client whose handshake is done.
func (f *fixture) handshaken() (*rtmp.Client, *rtmptest.Conn) {
	f.t.Helper()
	conn := f.dial()
	client := rtmp.NewClient(conn)
	if _, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
		f.t.Fatal(err)
	}
	return client, conn
}

func drainMessages(client *rtmp.Client) error {
	for {
		if _, err := client.ReadMessage(); err != nil {
			return err
		}
	}
}

// hoard is about the most that a client without permission can have the server
// hold: all chunk streams, with messages that never end, and answers that it does
// not read.
func hoard() []byte {
	wire := rtmp.AppendMessage(nil, connectCommand("live"), rtmp.DefaultChunkSize)
	for i := range rtmp.MaxChunkStreams - 3 {
		wire = append(wire, 0, byte(i), 0, 0, 0, 0, 0xFF, 0xFF, byte(rtmp.TypeVideo), 1, 0, 0, 0)
		wire = append(wire, make([]byte, rtmp.DefaultChunkSize)...)
	}
	call := rtmp.AppendMessage(nil, rtmp.Command{Name: "x", Transaction: 9}.Message(0), rtmp.DefaultChunkSize)
	return append(wire, bytes.Repeat(call, chatterBurst-1)...)
}

// TestAWorstCaseClientHasABound adds up what a client can have the server hold:
// its handshake is over, its messages have a budget, its chunk streams a number,
// and its answers a queue.
func TestAWorstCaseClientHasABound(t *testing.T) {
	conformance.Covers(t, 207)
	const clients = 100
	limit := rtmp.UnacceptedLimits.Partial + // messages
		rtmp.MaxChunkStreams*128 + // headers
		2*maxControlQueue + // answers, and the memory they grow in
		16<<10 // everything else, both ends of the connection in memory included
	f := newFixture(t, nil)
	wire := hoard()
	heap, goroutines := footprint()
	var conns []*rtmptest.Conn
	for range clients {
		_, conn := f.handshaken()
		if _, err := conn.Write(wire); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	// What comes when everything before has been carried out waits in the pipe.
	for _, conn := range conns {
		if _, err := conn.Write([]byte{0xC3}); err != nil {
			t.Fatal(err)
		}
	}
	with, running := footprint()
	each := (with - heap) / clients
	if n := f.Connections(); n != clients {
		t.Errorf("%d connections are left of %d", n, clients)
	}
	if least := rtmp.UnacceptedLimits.Partial / 2; each > limit || each < least {
		t.Errorf("a client takes %d bytes, want %d at most, and %d at least or it is none of the worst", each, limit, least)
	}
	if each := float64(running-goroutines) / clients; each > 2.1 {
		t.Errorf("a client takes %.2f goroutines, want two: one reads, one waits to write", each)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	f.stop()
}
