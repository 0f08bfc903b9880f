package faults

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// peer is what a listener that TLS clients connect to does with each of them.
type peer func(conn net.Conn)

// shakyRedis is the way to a Redis by TLS, whose other end can be ill.
type shakyRedis struct {
	l        net.Listener
	attempts atomic.Int64
	serving  sync.WaitGroup

	mu   sync.Mutex // guards what follows
	peer peer
	open map[net.Conn]struct{}
}

// startShaky listens, and behaves like a peer until it is told otherwise.
func startShaky(t *testing.T, p peer) *shakyRedis {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &shakyRedis{l: l, peer: p, open: make(map[net.Conn]struct{})}
	s.serving.Go(func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			s.attempts.Add(1)
			s.mu.Lock()
			p := s.peer
			s.open[conn] = struct{}{}
			s.mu.Unlock()
			s.serving.Go(func() {
				defer func() {
					s.mu.Lock()
					delete(s.open, conn)
					s.mu.Unlock()
					_ = conn.Close()
				}()
				p(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.hangUp()
		s.serving.Wait()
	})
	return s
}

// become makes it another peer for those who connect from now on.
func (s *shakyRedis) become(p peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peer = p
}

// hangUp ends the connections that there are.
func (s *shakyRedis) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Close()
	}
}

// settings have a server that trusts an issuer connect here.
func (s *shakyRedis) settings(issuer *stage.Issuer) []string {
	_, port, _ := net.SplitHostPort(s.l.Addr().String())
	return []string{
		"REDIS_USE=YES", "REDIS_TLS=YES", "REDIS_HOST=127.0.0.1", "REDIS_PORT=" + port, "SSL_CERT_FILE=" + issuer.File,
	}
}

// certified returns the end of TLS that has an issuer's certificate.
func certified(t *testing.T, issuer *stage.Issuer) *tls.Config {
	t.Helper()
	pair := issuer.Issue(t, t.TempDir())
	cert, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// passOn is a peer that is well: it takes TLS off, and passes what is in it to Redis.
func passOn(config *tls.Config, r *stage.Redis) peer {
	return func(conn net.Conn) {
		secure := tls.Server(conn, config)
		redis, err := net.Dial("tcp", r.Addr())
		if err != nil {
			return
		}
		var answers sync.WaitGroup
		answers.Go(func() {
			_, _ = io.Copy(secure, redis)
			_ = conn.Close()
		})
		_, _ = io.Copy(redis, secure)
		_ = redis.Close()
		answers.Wait()
	}
}

// slowConn sends one byte at a time, with a pause behind each.
type slowConn struct {
	net.Conn
	t *testing.T
}

func (c slowConn) Write(p []byte) (n int, err error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		if !stage.Pause(c.t.Context(), time.Second) {
			return i, net.ErrClosed
		}
	}
	return len(p), nil
}

// cutConn breaks after so many bytes that it has sent.
type cutConn struct {
	net.Conn
	left int
}

func (c *cutConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:min(len(p), c.left)])
	if c.left -= n; c.left == 0 {
		_ = c.Conn.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
		return n, io.ErrClosedPipe
	}
	return n, err
}

// The other end of REDIS_TLS begins a handshake and does not end it, breaks it off,
// or shows a certificate of somebody else: that is one line in the log, however
// long it goes on, and commands come back with it.
func TestStreamDoesNotNoticeThatTLSToRedisFails(t *testing.T) {
	t.Parallel()
	issuer, stranger := stage.NewIssuer(t), stage.NewIssuer(t)
	config, foreign := certified(t, issuer), certified(t, stranger)
	shake := func(conn net.Conn, config *tls.Config) { _ = tls.Server(conn, config).HandshakeContext(t.Context()) }
	hold := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
	tests := map[string]struct {
		ill      peer
		reason   string // what the operator has to read
		attempts int    // that are certain to fail within the test
	}{
		"silent":            {hold, "TLS handshake", 2},
		"byte by byte":      {func(conn net.Conn) { shake(slowConn{conn, t}, config) }, "TLS handshake", 2},
		"cut at once":       {func(conn net.Conn) { shake(&cutConn{conn, 1}, config) }, "TLS handshake", 5},
		"cut in the middle": {func(conn net.Conn) { shake(&cutConn{conn, 300}, config) }, "TLS handshake", 5},
		"not trusted":       {func(conn net.Conn) { shake(conn, foreign) }, "certificate signed by unknown authority", 5},
		"no TLS":            {func(conn net.Conn) { _, _ = io.WriteString(conn, "-ERR unknown command\r\n"); hold(conn) }, "TLS", 5},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := stage.StartRedis(t)
			well := passOn(config, r)
			way := startShaky(t, well)
			f := begin(t, "H4", way.settings(issuer)...)
			f.server.AwaitLine(stage.RedisBack)
			healthy := f.vitals()
			outages := f.scale(1, 5)
			for outage := 1; outage <= outages; outage++ {
				before := way.attempts.Load()
				way.become(tt.ill)
				way.hangUp()
				awaitAttempts(f, way, before+int64(tt.attempts))
				if now := f.vitals(); now.goroutines > healthy.goroutines+moreGoroutines || now.files > healthy.files+moreFiles {
					t.Errorf("during the outage the server takes %+v, before it was %+v", now, healthy)
				}
				publisher, err := stage.TryPublish(t, "", f.server.Addr, fmt.Sprint("during", outage, "/key"))
				if err != nil {
					t.Fatalf("a publisher during the outage: %v", err)
				}
				publisher.Reset() // or it would count in the next outage
				way.become(well)  // and whoever waits in a handshake still does
				start := time.Now()
				checkKill(t, f.server, r, outage+1, fmt.Sprint("victim", outage), commandLimit)
				f.figure("commands back after", time.Since(start).Round(100*time.Millisecond))
			}
			checkOutages(f, outages, tt.reason)
		})
	}
}

// awaitAttempts waits until the server has connected so many times in all.
func awaitAttempts(f *fault, way *shakyRedis, n int64) {
	f.Helper()
	for deadline := time.Now().Add(6 * stage.Soon); way.attempts.Load() < n; stage.Pause(f.bounded(), 50*time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("there were %d attempts, want %d", way.attempts.Load(), n)
		}
	}
}

// checkOutages wants a line for each outage that says why the attempts failed, or two
// as a connection can break in two ways, beside the one that says how the connection
// before was lost.
func checkOutages(f *fault, outages int, reason string) {
	f.Helper()
	told, lost := 0, 0
	for _, line := range f.server.Log.All() {
		if strings.Contains(line, stage.RedisLost) {
			lost++
			if strings.Contains(stage.Attr(line, "reason"), reason) {
				told++
			}
		}
	}
	if told < outages || lost > 3*outages {
		f.Errorf("%d lines about %d outages, of which %d say %q", lost, outages, told, reason)
	}
}
