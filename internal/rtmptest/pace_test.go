package rtmptest

import (
	"errors"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestASlowReaderHoldsTheWriterUp(t *testing.T) {
	for name, c := range map[string]struct {
		slow func(*Conn)
		want time.Duration // until 100 bytes were read
	}{
		"at any rate": {func(*Conn) {}, 0},
		"throttled":   {func(c *Conn) { c.Throttle(50) }, 2 * time.Second},
		"stalled": {func(c *Conn) {
			c.Stall()
			time.AfterFunc(time.Minute, c.Resume)
		}, time.Minute},
		"throttled no more": {func(c *Conn) {
			c.Throttle(1)
			c.Resume()
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := Pipe(netip.MustParseAddrPort("203.0.113.1:5000"))
				start := time.Now()
				c.slow(client)
				go func() {
					_, _ = server.Write(make([]byte, 100))
					_ = server.Close()
				}()
				if b, err := io.ReadAll(client); len(b) != 100 || err != nil {
					t.Errorf("read %d bytes, %v", len(b), err)
				}
				if took := time.Since(start); took != c.want {
					t.Errorf("took %v, want %v", took, c.want)
				}
				_ = client.Close()
			})
		})
	}
}

func TestAStalledReaderCanBeClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := Pipe(netip.MustParseAddrPort("203.0.113.1:5000"))
		client.Stall()
		time.AfterFunc(time.Second, func() { _ = client.Close() })
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("read %v", err)
		}
		_ = server.Close()
	})
}

func TestAResetIsNoEnd(t *testing.T) {
	client, server := Pipe(netip.MustParseAddrPort("203.0.113.1:5000"))
	_ = server.SetReadDeadline(time.Unix(1, 0))
	_ = client.Reset()
	if _, err := server.Write([]byte{1}); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("write: %v", err)
	}
	_ = server.SetReadDeadline(time.Time{})
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v", err)
	}
	_ = server.Close()
}
