package rtmptest

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// overNetwork runs a test with both ends of a connection.
func overNetwork(t *testing.T, up, down Link, test func(t *testing.T, client, server *Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, server := PipeOver(netip.MustParseAddrPort("203.0.113.1:5000"), up, down)
		test(t, client, server)
		_, _ = client.Close(), server.Close()
	})
}

func TestBytesTakeTheirTimeAndStayInOrder(t *testing.T) {
	sent := make([]byte, 10_000)
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	link := Link{Latency: 20 * time.Millisecond, Jitter: 30 * time.Millisecond, Slice: 100, Window: 20_000, Seed: 1}
	overNetwork(t, link, Link{}, func(t *testing.T, client, server *Conn) {
		start := time.Now()
		if n, err := client.Write(sent); n != len(sent) || err != nil || time.Since(start) != 0 {
			t.Fatalf("wrote %d, %v, after %v", n, err, time.Since(start))
		}
		_ = client.CloseWrite()
		var got []byte
		pieces := 0
		for b := make([]byte, 1<<16); ; pieces++ {
			n, err := server.Read(b)
			if got = append(got, b[:n]...); errors.Is(err, io.EOF) {
				break
			}
		}
		if !bytes.Equal(got, sent) {
			t.Error("what arrived is not what was sent")
		}
		if took := time.Since(start); took < link.Latency || took > link.Latency+link.Jitter {
			t.Errorf("took %v", took)
		}
		if pieces < 2 {
			t.Errorf("came in %d pieces", pieces)
		}
	})
}

func TestAWriteWaitsForTheWindow(t *testing.T) {
	overNetwork(t, Link{}, Link{Window: 100}, func(t *testing.T, client, server *Conn) {
		_ = server.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := server.Write(make([]byte, 150)); n != 100 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d, %v", n, err)
		}
		_ = server.SetWriteDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { _, _ = client.Read(make([]byte, 60)) })
		start := time.Now()
		if n, err := server.Write(make([]byte, 50)); n != 50 || err != nil || time.Since(start) != time.Second {
			t.Errorf("wrote %d, %v, after %v", n, err, time.Since(start))
		}
	})
}

func TestALostDirectionIsSilent(t *testing.T) {
	overNetwork(t, Link{}, Link{}, func(t *testing.T, client, server *Conn) {
		client.LoseUp()
		_, _ = client.Write([]byte("lost"))
		_ = client.CloseWrite()
		_ = server.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := server.Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("up: %v", err)
		}
		_, _ = server.Write([]byte("here"))
		if n, err := client.Read(make([]byte, 4)); n != 4 || err != nil {
			t.Errorf("down: %d, %v", n, err)
		}
		client.LoseDown()
		_, _ = server.Write([]byte("lost"))
		_ = client.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := client.Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("down: %v", err)
		}
	})
}

func TestACutComesInTheMidstOfAWrite(t *testing.T) {
	for name, cut := range map[string]struct {
		prepare func(client *Conn, n int)
		up      bool
	}{"up": {(*Conn).CutUp, true}, "down": {(*Conn).CutDown, false}} {
		t.Run(name, func(t *testing.T) {
			link := Link{Latency: time.Millisecond, Slice: 10}
			overNetwork(t, link, link, func(t *testing.T, client, server *Conn) {
				cut.prepare(client, 25)
				from, to := server, client
				if cut.up {
					from, to = client, server
				}
				_, _ = from.Write(make([]byte, 100))
				got, err := io.ReadAll(to)
				if len(got) != 25 || !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("%d bytes arrived, %v", len(got), err)
				}
				if _, err := from.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the other end: %v", err)
				}
				if _, err := from.Write([]byte{1}); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("a write behind it: %v", err)
				}
			})
		})
	}
}

func TestAClosedEndFailsWritesToIt(t *testing.T) {
	overNetwork(t, Link{}, Link{}, func(t *testing.T, client, server *Conn) {
		_, _ = client.Write([]byte("last"))
		_ = client.Close()
		if got, err := io.ReadAll(server); string(got) != "last" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := server.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("write: %v", err)
		}
	})
}
