package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// serverTLS makes the TLS configuration of a server. The certificate is valid in
// virtual time, which begins in the year 2000.
var serverTLS = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		Certificates:                []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		DynamicRecordSizingDisabled: true, // as in ServeTLS
	}
})

var clientTLS = &tls.Config{InsecureSkipVerify: true}

// countedConn counts what passes through to the connection below.
type countedConn struct {
	net.Conn
	writes, bytes atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	c.bytes.Add(int64(len(p)))
	return c.Conn.Write(p)
}

// secured is a transport over TLS, and its client.
type secured struct {
	*transport
	wire   *countedConn
	client *tls.Conn
}

func newSecured(tb testing.TB, config *tls.Config) *secured {
	tb.Helper()
	clientEnd, serverEnd := rtmptest.Pipe(testAddr)
	wire := &countedConn{Conn: serverEnd}
	s := &secured{newTransport(wire, serverTLS()), wire, tls.Client(clientEnd, config)}
	tb.Cleanup(func() {
		_ = clientEnd.Close()
		_ = serverEnd.Close()
	})
	done := make(chan error, 1)
	go func() { done <- s.client.Handshake() }()
	if err := errors.Join(s.secure.Handshake(), <-done); err != nil {
		tb.Fatal(err)
	}
	wire.writes.Store(0)
	wire.bytes.Store(0)
	s.records.hold()
	return s
}

// writeBatch writes pieces as the writer does, each step with one write.
func (s *secured) writeBatch(pieces net.Buffers) error {
	b := new(batch)
	for _, p := range pieces {
		b.add(p)
	}
	for !b.written() {
		if err := b.next(s.transport); err != nil {
			return err
		}
		if _, err := s.write(b); err != nil {
			return err
		}
	}
	return nil
}

// numberedBatch returns messages that differ, and all of their bytes.
func numberedBatch(messages, size int) (net.Buffers, []byte) {
	var batch net.Buffers
	for i := range messages {
		batch = append(batch, bytes.Repeat([]byte{byte(i), byte(i >> 8)}, size/2))
	}
	return batch, bytes.Join(batch, nil)
}

func TestBatchUnderTLSIsOneWrite(t *testing.T) {
	versions := map[string]*tls.Config{
		"TLS 1.2": {InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12},
		"TLS 1.3": {InsecureSkipVerify: true, MinVersion: tls.VersionTLS13},
	}
	batches := []struct{ messages, size int }{{1, 2}, {maxVectors, 20}, {200, 1300}, {4, maxVector}}
	for version, config := range versions {
		t.Run(version, func(t *testing.T) {
			s := newSecured(t, config)
			for _, b := range batches {
				before := s.wire.writes.Load()
				batch, want := numberedBatch(b.messages, b.size)
				got := make([]byte, len(want))
				read := make(chan error, 1)
				go func() {
					_, err := io.ReadFull(s.client, got)
					read <- err
				}()
				err := s.writeBatch(batch)
				if err := errors.Join(err, <-read); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%d messages of %d bytes: other bytes came", b.messages, b.size)
				}
				if writes := s.wire.writes.Load() - before; writes != 1 {
					t.Errorf("%d messages of %d bytes took %d writes, want 1", b.messages, b.size, writes)
				}
			}
		})
	}
}

// securedWriter is the writer of a TLS connection with a player that is behind
// by n messages.
func securedWriter(t *testing.T, n int) (*writer, *secured) {
	t.Helper()
	plain, _ := backlog(t, n)
	s := newSecured(t, clientTLS)
	plain.nc = *s.transport
	return plain, s
}

// TestWriterUnderTLSWritesStepsOfABatch has the writer itself at work.
func TestWriterUnderTLSWritesStepsOfABatch(t *testing.T) {
	const messages = 1000 // of 2,000 bytes
	w, s := securedWriter(t, messages)
	go func() { _, _ = io.Copy(io.Discard, s.client) }()
	batches := 0
	b := new(batch)
	for w.gather(b); !b.written(); w.gather(b) {
		batches++
		if err := w.writeAll(b); err != nil {
			t.Fatal(err)
		}
	}
	// The last vectors of a batch may go beyond maxBatch, and into a step of their own.
	if writes := int(s.wire.writes.Load()); writes > 2*batches || writes < batches {
		t.Errorf("%d writes for %d batches", writes, batches)
	}
	total := s.wire.bytes.Load()
	if least := int64(messages * 2000); total < least || total > least*103/100 {
		t.Errorf("%d bytes on the wire for %d of media", total, least)
	}
}

func BenchmarkSealedBatch(b *testing.B) {
	s := newSecured(b, clientTLS)
	go func() { _, _ = io.Copy(io.Discard, s.client) }()
	messages, text := numberedBatch(128, 1400)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.writeBatch(messages); err != nil {
			b.Fatal(err)
		}
	}
}

// TestBatchesAreWholeWhileTheConnectionReads reads and writes at the same time,
// in both directions, with buffers of the pools in use by another connection.
func TestBatchesAreWholeWhileTheConnectionReads(t *testing.T) {
	const rounds = 50
	var connections sync.WaitGroup
	for range 2 {
		s := newSecured(t, clientTLS)
		connections.Go(func() {
			var want [][]byte
			var both sync.WaitGroup
			both.Go(func() { // the server's reading side
				if _, err := io.CopyN(io.Discard, s.transport, rounds*3000); err != nil {
					t.Error(err)
				}
			})
			both.Go(func() {
				for range rounds {
					if _, err := s.client.Write(make([]byte, 3000)); err != nil {
						t.Error(err)
					}
				}
			})
			got := make(chan []byte, 1)
			go func() {
				all, _ := io.ReadAll(s.client)
				got <- all
			}()
			for i := range rounds {
				batch, text := numberedBatch(i+1, 1000)
				want = append(want, text)
				if err := s.writeBatch(batch); err != nil {
					t.Error(err)
				}
			}
			both.Wait()
			_ = s.socket.Close()
			if !bytes.Equal(<-got, bytes.Join(want, nil)) {
				t.Error("other bytes came than were written")
			}
		})
	}
	connections.Wait()
}

// collector is a socket that keeps what is written.
type collector struct {
	net.Conn
	mu     sync.Mutex
	writes [][]byte
	err    error
}

func (c *collector) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes = append(c.writes, slices.Clone(p))
	return len(p), c.err
}

// TestRecordsOfTheReaderStayInOrder writes from the reading side, as TLS does
// when the peer changes its keys, while batches are taken.
func TestRecordsOfTheReaderStayInOrder(t *testing.T) {
	const rounds = 2000
	r := &recordBuffer{Conn: &collector{err: errors.New("written to the socket")}}
	r.hold()
	write := func(who byte, i int) {
		if n, err := r.Write([]byte{who, byte(i), byte(i >> 8)}); n != 3 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for i := range rounds {
			write('r', i)
		}
	})
	var taken []byte
	for i := range rounds {
		write('w', i)
		taken = r.take(taken)
	}
	reading.Wait()
	taken = r.take(taken)
	next := map[byte]int{}
	for record := range slices.Chunk(taken, 3) {
		who, i := record[0], int(record[1])|int(record[2])<<8
		if i != next[who] {
			t.Fatalf("record %d of %c came in place of %d", i, who, next[who])
		}
		next[who]++
	}
	if next['r'] != rounds || next['w'] != rounds {
		t.Errorf("%v records came, want %d of each side", next, rounds)
	}
}

func TestHeldRecordsLeaveAtTheRelease(t *testing.T) {
	out := &collector{}
	r := &recordBuffer{Conn: out}
	r.hold()
	for _, text := range []string{"a", "b", "c"} {
		if _, err := r.Write([]byte(text)); err != nil || len(out.writes) > 0 {
			t.Fatalf("%d writes, %v", len(out.writes), err)
		}
	}
	out.err = io.ErrClosedPipe
	if err := r.release(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("release returned %v", err)
	}
	out.err = nil
	if _, err := r.Write([]byte("d")); err != nil {
		t.Error(err)
	}
	if err := r.release(); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprintf("%s", out.writes); got != "[abc d]" {
		t.Errorf("written: %s", got)
	}
}

func TestBatchFailsWithTheSocket(t *testing.T) {
	s := newSecured(t, clientTLS)
	_ = s.socket.Close()
	batch, _ := numberedBatch(1, 100)
	if err := s.writeBatch(batch); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want the error of the socket", err)
	}
}

func TestTransportKnowsItsSocket(t *testing.T) {
	under := &sink{}
	wrapped := &access.ProxyConn{Conn: under}
	for _, config := range []*tls.Config{nil, serverTLS()} {
		nc := newTransport(wrapped, config)
		if nc.socket != net.Conn(wrapped) || socket.Innermost(nc.Conn) != net.Conn(under) {
			t.Errorf("socket %T, innermost %T", nc.socket, socket.Innermost(nc.Conn))
		}
		if (nc.secure != nil) != (config != nil) {
			t.Errorf("secure is %v", nc.secure)
		}
	}
}

// serveTLS has all further connections of a fixture speak TLS.
func (f *fixture) serveTLS(config *tls.Config, wrap func(net.Listener) net.Listener) {
	synctest.Wait() // Serve has taken the other listener
	f.listener = rtmptest.NewListener()
	listener := net.Listener(f.listener)
	if wrap != nil {
		listener = wrap(listener)
	}
	go func() { _ = f.ServeTLS(listener, config) }()
}

// serveProxied has all further connections of a fixture come from a balancer.
func (f *fixture) serveProxied(trusted string) {
	synctest.Wait()
	f.listener = rtmptest.NewListener()
	go func() { _ = f.Serve(proxied(f.t, trusted)(f.listener)) }()
}

func proxied(t testing.TB, trusted string) func(net.Listener) net.Listener {
	list, err := access.ParseList(trusted)
	if err != nil {
		t.Fatal(err)
	}
	return func(l net.Listener) net.Listener { return access.ProxyListener(l, list, handshakeTimeout) }
}

// play connects, as client does, on a connection of the caller's, and plays.
func (f *fixture) play(conn io.ReadWriter, app, key string) (*rtmp.Client, error) {
	f.t.Helper()
	client := rtmp.NewClient(conn)
	if _, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
		return nil, err
	}
	if _, err := client.Connect(rtmp.ConnectOptions{App: app}); err != nil {
		return nil, err
	}
	id, err := client.CreateStream()
	if err != nil {
		return nil, err
	}
	return client, client.Play(id, key)
}

func TestTLSAndPlainSessionsShareAChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		publisher, conn := f.publish("live", "key")
		go func() { _ = drain(conn) }()
		f.serveTLS(serverTLS(), nil)
		secure := f.dial()
		player, err := f.play(tls.Client(secure, clientTLS), "live", "key")
		if err != nil {
			t.Fatal(err)
		}
		want := rtmp.Message{Type: rtmp.TypeVideo, Stream: 1, Timestamp: 40, Payload: append([]byte{0x17, 1}, make([]byte, 100_000)...)}
		if err := publisher.WriteMessage(want); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := player.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			if m.Type == rtmp.TypeVideo {
				if !bytes.Equal(m.Payload, want.Payload) || m.Timestamp != want.Timestamp {
					t.Error("another frame came")
				}
				break
			}
		}
		_ = secure.Close()
		_ = conn.Close()
	})
}

// dialTLS begins a TLS handshake and returns how and when it ends.
func (f *fixture) dialTLS(start time.Time) (conn *rtmptest.Conn, done chan handshakeEnd) {
	f.t.Helper()
	conn, done = f.dial(), make(chan handshakeEnd, 1)
	go func() {
		err := tls.Client(conn, clientTLS).Handshake()
		done <- handshakeEnd{err, time.Since(start)}
	}()
	return conn, done
}

type handshakeEnd struct {
	err error
	at  time.Duration
}

// TestTLSHandshakesAreBounded has handshakes hang in the server, where only so
// many may be; those that get no place in time end with the others.
func TestTLSHandshakesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		var running atomic.Int64
		config := serverTLS().Clone()
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			running.Add(1)
			<-hello.Context().Done()
			return nil, hello.Context().Err()
		}
		f.serveTLS(config, nil)
		start := time.Now()
		const waiting = 10
		var ends []chan handshakeEnd
		for range maxTLSHandshakes + waiting {
			conn, done := f.dialTLS(start)
			defer func() { _ = conn.Close() }()
			ends = append(ends, done)
		}
		synctest.Wait()
		if n := running.Load(); n != maxTLSHandshakes {
			t.Errorf("%d handshakes run at once, want %d", n, maxTLSHandshakes)
		}
		for i, done := range ends {
			if end := <-done; end.err == nil || end.at != handshakeTimeout {
				t.Errorf("handshake %d ended at %v with %v, want an error at %v", i, end.at, end.err, handshakeTimeout)
			}
		}
		time.Sleep(samplePeriod)
		synctest.Wait()
		f.wantLog(`msg=end`, refusalLines)
		f.wantLog(fmt.Sprintf(`reason=%q count=%d`, ReasonHandshakeTimeout, maxTLSHandshakes+waiting-refusalLines), 1)
		if n := len(f.handshakes); n != 0 {
			t.Errorf("%d places are still taken", n)
		}
	})
}

// TestTLSHandshakePlacesAreGivenBack does more handshakes, good and bad ones,
// than there are places.
func TestTLSHandshakePlacesAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		f.serveTLS(serverTLS(), nil)
		start := time.Now()
		for i := range 2 * maxTLSHandshakes {
			if i%2 == 0 {
				conn := f.dial()
				_, _ = conn.Write([]byte("GET / HTTP/1.1\r\n"))
				_ = conn.Close()
				continue
			}
			conn, done := f.dialTLS(start)
			if end := <-done; end.err != nil || end.at != 0 {
				t.Fatalf("handshake %d ended at %v with %v", i, end.at, end.err)
			}
			_ = conn.Close()
		}
	})
}

// TestSilentPeersDoNotKeepOthersFromTLS has as many connections as there are
// places for handshakes say nothing. It costs their owner nothing, so that it
// must not cost others their sessions.
func TestSilentPeersDoNotKeepOthersFromTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		f.serveTLS(serverTLS(), nil)
		for range maxTLSHandshakes {
			conn := f.dial()
			defer func() { _ = conn.Close() }()
		}
		synctest.Wait()
		conn, done := f.dialTLS(time.Now())
		defer func() { _ = conn.Close() }()
		if end := <-done; end.err != nil || end.at != 0 {
			t.Errorf("the handshake ended at %v with %v, want it done at once", end.at, end.err)
		}
	})
}

func TestSlowTLSHandshakeIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		f.serveTLS(serverTLS(), nil)
		conn, start := f.dial(), time.Now()
		defer func() { _ = conn.Close() }()
		var sending sync.WaitGroup
		sending.Go(func() { // a record header that announces 512 bytes, which come one a second
			_, _ = conn.Write([]byte{22, 3, 1, 2, 0})
			for {
				if _, err := conn.Write([]byte{1}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		_ = drain(conn)
		if took := time.Since(start); took != handshakeTimeout {
			t.Errorf("closed after %v, want %v", took, handshakeTimeout)
		}
		sending.Wait()
		synctest.Wait()
		f.wantLog(`reason="`+string(ReasonHandshakeTimeout)+`"`, 1)
	})
}

// TestStopInterruptsTLSHandshakes stops the server while peers are silent.
func TestStopInterruptsTLSHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.serveTLS(serverTLS(), nil)
		for range maxTLSHandshakes + 1 {
			conn := f.dial()
			defer func() { _ = conn.Close() }()
		}
		synctest.Wait()
		start := time.Now()
		f.stop()
		if took := time.Since(start); took != 0 {
			t.Errorf("the stop took %v", took)
		}
	})
}

func TestOtherProtocolsOnTheTLSPortAreClosedSilently(t *testing.T) {
	tests := map[string]string{
		"RTMP":        string(append([]byte{3}, make([]byte, 100)...)),
		"HTTP":        "GET / HTTP/1.1\r\nHost: marker\r\n\r\n",
		"SSH":         "SSH-2.0-marker\r\n",
		"PROXY":       "PROXY TCP4 198.51.100.7 192.0.2.1 1 2\r\n",
		"noise":       "marker\xff\x00marker",
		"huge record": "\x16\x03\x01\xff\xffmarker",
		"nothing":     "",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				f := newFixture(t, func(o *Options) {
					o.Log = slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
				})
				defer f.stop()
				f.serveTLS(serverTLS(), nil)
				conn, start := f.dial(), time.Now()
				go func() {
					_, _ = io.WriteString(conn, text)
					if text == "" {
						_ = conn.CloseWrite()
					}
				}()
				_ = drain(conn)
				_ = conn.Close()
				if took := time.Since(start); took != 0 {
					t.Errorf("closed after %v", took)
				}
				synctest.Wait()
				if n := j.count("msg=end") - j.count("level=DEBUG msg=end"); n != 0 || j.count("marker") != 0 {
					t.Errorf("%d lines above debug level:\n%s", n, strings.Join(j.lines, ""))
				}
			})
		})
	}
}

func TestFailedTLSHandshakeIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		f.serveTLS(serverTLS(), nil)
		conn, start := f.dial(), time.Now()
		defer func() { _ = conn.Close() }()
		old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		if err := tls.Client(conn, old).Handshake(); err == nil || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		synctest.Wait()
		f.wantLog(`level=INFO msg=end id=1 addr=203.0.113.9:4000 reason="`+string(stream.ReasonTLS)+`"`, 1)
	})
}

// stalledViewer plays over TLS, reads until the start was announced, and then
// no more. Media for it is under way.
func stalledViewer(f *fixture) *rtmptest.Conn {
	f.t.Helper()
	publisher, conn := f.publish("live", "key")
	go func() { _ = drain(conn) }()
	f.t.Cleanup(func() { _ = conn.Close() })
	f.serveTLS(serverTLS(), nil)
	viewer := f.dial()
	if _, err := f.play(tls.Client(viewer, clientTLS), "live", "key"); err != nil {
		f.t.Fatal(err)
	}
	frame := rtmp.Message{Type: rtmp.TypeVideo, Stream: 1, Payload: append([]byte{0x17, 1}, make([]byte, 1000)...)}
	if err := publisher.WriteMessage(frame); err != nil {
		f.t.Fatal(err)
	}
	synctest.Wait()
	return viewer
}

func TestViewerThatStopsReadingTLSIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		viewer := stalledViewer(f)
		defer func() { _ = viewer.Close() }()
		time.Sleep(stallTimeout + time.Millisecond)
		synctest.Wait()
		f.wantLog(`reason="`+string(stream.ReasonStalled)+`"`, 1)
	})
}

func TestKillDoesNotWaitForAStalledTLSViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		viewer := stalledViewer(f)
		defer func() { _ = viewer.Close() }()
		if n := f.registry.KillSession("live"); n != 2 {
			t.Errorf("%d sessions killed, want 2", n)
		}
		time.Sleep(lingerTimeout)
		synctest.Wait()
		f.wantLog(`reason="`+string(stream.ReasonKilled)+`"`, 2)
	})
}

// TestTLSViewerIsGoneInTimeThoughItReadsNoAlert has a viewer read the last
// status, and then neither read TLS's own farewell nor close.
func TestTLSViewerIsGoneInTimeThoughItReadsNoAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		f.serveTLS(serverTLS(), nil)
		conn := f.dial()
		defer func() { _ = conn.Close() }()
		viewer, err := f.play(tls.Client(conn, clientTLS), "live", "key")
		if err != nil {
			t.Fatal(err)
		}
		f.registry.KillSession("live")
		start := time.Now()
		for {
			m, err := viewer.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			command, _ := rtmp.ParseCommand(m)
			if status, ok := rtmp.ParseStatus(command); ok && status.Code == rtmp.CodePlayFailed {
				break
			}
		}
		for f.Connections() > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(start); took > lingerTimeout+10*time.Millisecond {
			t.Errorf("it was gone after %v, want %v", took, lingerTimeout)
		}
	})
}

// proxyV2 is a header of version 2 for a TCP connection over IPv4.
func proxyV2(client [4]byte, port uint16) string {
	return "\r\n\r\n\x00\r\nQUIT\n" + "\x21\x11\x00\x0c" + string(client[:]) + "\xc0\x00\x02\x01" +
		string([]byte{byte(port >> 8), byte(port)}) + "\x07\x8f"
}

// balanced plays through a load balancer, over TLS or not, that sends a header.
func (f *fixture) balanced(header string, secure bool) (*rtmptest.Conn, error) {
	f.t.Helper()
	conn := f.dial()
	if _, err := io.WriteString(conn, header); err != nil {
		f.t.Fatal(err)
	}
	if !secure {
		_, err := f.play(conn, "live", "key")
		return conn, err
	}
	_, err := f.play(tls.Client(conn, clientTLS), "live", "key")
	return conn, err
}

func TestProxyHeaderDecidesTheAddress(t *testing.T) {
	const v1 = "PROXY TCP4 198.51.100.7 192.0.2.1 4242 1935\r\n"
	tests := []struct {
		name, header string
		addr         string
		allowed      bool // to play
	}{
		{"version 1", v1, "198.51.100.7:4242", true},
		{"version 2", proxyV2([4]byte{198, 51, 100, 7}, 4242), "198.51.100.7:4242", true},
		{"IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 4242 1935\r\n", "[2001:db8::7]:4242", true},
		{"not on the whitelist", "PROXY TCP4 198.51.100.8 192.0.2.1 4242 1935\r\n", "198.51.100.8:4242", false},
		{"unknown", "PROXY UNKNOWN\r\n", testAddr.String(), false},
		{"none", "", testAddr.String(), false},
	}
	for _, tt := range tests {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", tt.name, secure), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, func(o *Options) { o.Players, _ = access.ParseList("198.51.100.7,2001:db8::/32") })
					defer f.stop()
					if secure {
						f.serveTLS(serverTLS(), proxied(t, "203.0.113.0/24"))
					} else {
						f.serveProxied("203.0.113.0/24")
					}
					conn, err := f.balanced(tt.header, secure)
					defer func() { _ = conn.Close() }()
					if (err == nil) != tt.allowed {
						t.Errorf("play: %v", err)
					}
					f.wantLog("msg=connect id=1 addr="+tt.addr+" ", 1)
				})
			})
		}
	}
}

func TestProxyHeaderDecidesTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := access.NewLimiter(1, access.List{}, 64)
		f := newFixture(t, func(o *Options) { o.Limiter = limiter })
		defer f.stop()
		f.serveProxied("203.0.113.9")
		first, err := f.balanced(proxyV2([4]byte{198, 51, 100, 7}, 1), false)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		second := f.dial()
		if _, err := io.WriteString(second, proxyV2([4]byte{198, 51, 100, 7}, 2)); err != nil {
			t.Fatal(err)
		}
		if n, err := second.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) || time.Since(start) != 0 {
			t.Errorf("the second connection of the client read %d bytes and %v after %v", n, err, time.Since(start))
		}
		other, err := f.balanced(proxyV2([4]byte{198, 51, 100, 8}, 1), false)
		if err != nil {
			t.Errorf("another client of the balancer: %v", err)
		}
		if n := limiter.Active(); n != 2 {
			t.Errorf("%d places taken, want 2", n)
		}
		_ = first.Close()
		synctest.Wait()
		again, err := f.balanced(proxyV2([4]byte{198, 51, 100, 7}, 3), false)
		if err != nil {
			t.Errorf("after the first connection ended: %v", err)
		}
		_ = again.Close()
		_ = other.Close()
		_ = second.Close()
		synctest.Wait()
		if n := limiter.Active(); n != 0 {
			t.Errorf("%d places are still taken", n)
		}
	})
}

func TestProxyHeaderOfAStrangerIsForeign(t *testing.T) {
	headers := map[string]string{
		"version 1": "PROXY TCP4 198.51.100.7 192.0.2.1 4242 1935\r\n",
		"version 2": proxyV2([4]byte{198, 51, 100, 7}, 4242),
	}
	for _, trusted := range []string{"", "192.0.2.0/24"} {
		for name, header := range headers {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(o *Options) { o.Limiter = access.NewLimiter(1, access.List{}, 64) })
				defer f.stop()
				f.serveProxied(trusted)
				conn, start := f.dial(), time.Now()
				go func() { _, _ = io.WriteString(conn, header) }()
				_ = drain(conn)
				_ = conn.Close()
				if took := time.Since(start); took != 0 {
					t.Errorf("%s, %q trusted: closed after %v", name, trusted, took)
				}
				synctest.Wait()
				f.wantLog("", 0)
			})
		}
	}
}

func TestBadProxyHeaderEndsTheConnection(t *testing.T) {
	tests := map[string]struct {
		text  string
		after time.Duration
	}{
		"malformed": {"PROXY TCP4 marker\r\n", 0},
		"too long":  {"PROXY TCP4 " + strings.Repeat("1", 200), 0},
		"endless":   {"PROXY TCP4 198.51.100.7", handshakeTimeout},
		"nothing":   {"", handshakeTimeout},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				defer f.stop()
				f.serveProxied("203.0.113.9")
				conn, start := f.dial(), time.Now()
				go func() { _, _ = io.WriteString(conn, tt.text) }()
				_ = drain(conn)
				_ = conn.Close()
				if took := time.Since(start); took != tt.after {
					t.Errorf("closed after %v, want %v", took, tt.after)
				}
				synctest.Wait()
				f.wantLog("msg=end", 1)
			})
		})
	}
}

// TestStopDoesNotWaitForAProxyHeader stops the server while a balancer is
// silent.
func TestStopDoesNotWaitForAProxyHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.serveProxied("203.0.113.9")
		conn := f.dial()
		defer func() { _ = conn.Close() }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		f.stop()
	})
}
