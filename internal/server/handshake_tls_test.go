package server

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// muteAfter is a connection whose peer hears the first writes only.
type muteAfter struct {
	net.Conn
	writes int
}

func (c *muteAfter) Write(p []byte) (int, error) {
	if c.writes == 0 {
		return len(p), nil
	}
	c.writes--
	return c.Conn.Write(p)
}

// There is one deadline from accept to C2, wherever in TLS or in RTMP a client
// stops, and however long it took up to there.
func TestTLSAndRTMPHandshakesShareADeadline(t *testing.T) {
	const lost = 3 * time.Second
	for name, stall := range map[string]func(net.Conn){
		"after the ClientHello": func(conn net.Conn) {
			_ = tls.Client(&muteAfter{conn, 1}, clientTLS).Handshake()
		},
		"after TLS": func(conn net.Conn) {
			time.Sleep(lost)
			_ = tls.Client(conn, clientTLS).Handshake()
		},
		"after C1": func(conn net.Conn) {
			secure := tls.Client(conn, clientTLS)
			_ = secure.Handshake()
			time.Sleep(lost)
			_, _ = secure.Write(hello())
			_, _ = io.ReadFull(secure, make([]byte, replySize))
		},
	} {
		t.Run(name, func(t *testing.T) {
			conformance.Covers(t, 21)
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				defer f.stop()
				f.serveTLS(serverTLS(), nil)
				conn, start := f.dial(), time.Now()
				defer func() { _ = conn.Close() }()
				stall(conn)
				_ = drain(conn)
				if took := time.Since(start); took != handshakeTimeout {
					t.Errorf("closed after %v, want %v", took, handshakeTimeout)
				}
				synctest.Wait()
				f.wantLog(`reason="`+string(ReasonHandshakeTimeout)+`"`, 1)
			})
		})
	}
}

func TestAnRTMPHandshakeInsideTLSIsTheSame(t *testing.T) {
	for _, scheme := range []rtmp.Scheme{rtmp.SchemeSimple, rtmp.SchemeDigestAt8, rtmp.SchemeDigestAt772} {
		conformance.Covers(t, 21)
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, nil)
			defer f.stop()
			f.serveTLS(serverTLS(), nil)
			conn := f.dial()
			defer func() { _ = conn.Close() }()
			client := rtmp.NewClient(tls.Client(conn, clientTLS))
			hs, err := client.Handshake(scheme, rtmp.HandshakeOptions{Random: zeros{}})
			if err != nil || hs.Scheme != scheme {
				t.Errorf("a client of the scheme %v agreed on %v: %v", scheme, hs.Scheme, err)
			}
			if _, err := client.Connect(rtmp.ConnectOptions{App: "live"}); err != nil {
				t.Error(err)
			}
		})
	}
}
