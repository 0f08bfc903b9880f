package access

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"
)

const proxyTimeout = 5 * time.Second

// fakeConn is one end of a pipe that claims to come from an address.
type fakeConn struct {
	net.Conn
	remote net.Addr
}

func (c fakeConn) RemoteAddr() net.Addr { return c.remote }

// shut closes what a test is done with.
func shut(c io.Closer) { _ = c.Close() }

// fakeListener hands out the connections that dial made.
type fakeListener struct{ conns chan net.Conn }

func newFakeListener() fakeListener { return fakeListener{make(chan net.Conn, 8)} }

func (l fakeListener) dial(from string) net.Conn {
	client, server := net.Pipe()
	var remote net.Addr = &net.UnixAddr{Name: from, Net: "unix"}
	if ap, err := netip.ParseAddrPort(from); err == nil {
		remote = net.TCPAddrFromAddrPort(ap)
	}
	l.conns <- fakeConn{server, remote}
	return client
}

func (l fakeListener) Accept() (net.Conn, error) {
	if nc, ok := <-l.conns; ok {
		return nc, nil
	}
	return nil, net.ErrClosed
}
func (l fakeListener) Close() error   { close(l.conns); return nil }
func (l fakeListener) Addr() net.Addr { return &net.TCPAddr{} }

func v2Header(t testing.TB, transport proxyproto.AddressFamilyAndProtocol, command proxyproto.ProtocolVersionAndCommand, source net.Addr, tlv int) string {
	t.Helper()
	h := proxyproto.Header{Version: 2, Command: command, TransportProtocol: transport, SourceAddr: source, DestinationAddr: source}
	if tlv > 0 {
		if err := h.SetTLVs([]proxyproto.TLV{{Type: proxyproto.PP2_TYPE_NOOP, Value: make([]byte, tlv)}}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// proxyHeaders are what a trusted or untrusted peer may begin with.
func proxyHeaders(t testing.TB) []proxyCase {
	v4 := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9).To4(), Port: 4242}
	v6 := &net.TCPAddr{IP: net.ParseIP("2001:db8::9"), Port: 4242}
	return []proxyCase{
		{name: "version 1, IPv4", header: "PROXY TCP4 203.0.113.9 10.0.0.1 4242 1935\r\n", client: "203.0.113.9:4242"},
		{name: "version 1, IPv6", header: "PROXY TCP6 2001:db8::9 2001:db8::1 4242 1935\r\n", client: "[2001:db8::9]:4242"},
		{name: "version 1, mapped IPv4", header: "PROXY TCP6 ::ffff:203.0.113.9 ::1 4242 1935\r\n", client: "203.0.113.9:4242"},
		{name: "version 1, unknown", header: "PROXY UNKNOWN\r\n"},
		{name: "version 1, longest unknown", header: "PROXY UNKNOWN " + strings.Repeat("f", 91) + "\r\n"},
		{name: "version 2, IPv4", header: v2Header(t, proxyproto.TCPv4, proxyproto.PROXY, v4, 0), client: "203.0.113.9:4242"},
		{name: "version 2, IPv6", header: v2Header(t, proxyproto.TCPv6, proxyproto.PROXY, v6, 0), client: "[2001:db8::9]:4242"},
		{name: "version 2, longer than the buffer", header: v2Header(t, proxyproto.TCPv4, proxyproto.PROXY, v4, 2000), client: "203.0.113.9:4242"},
		{name: "version 2, health check", header: v2Header(t, proxyproto.TCPv4, proxyproto.LOCAL, v4, 0)},
		{name: "version 2, UDP", header: v2Header(t, proxyproto.UDPv4, proxyproto.PROXY, &net.UDPAddr{IP: v4.IP, Port: 1}, 0)},
		{name: "no header"},
		{name: "version 1 without end", header: strings.Repeat("PROXY ", 18), bad: true},
		{name: "version 1, no family", header: "PROXY \r\n", bad: true},
		{name: "version 1, bad address", header: "PROXY TCP4 203.0.113.900 10.0.0.1 4242 1935\r\n", bad: true},
		{name: "version 1, host name", header: "PROXY TCP4 localhost 10.0.0.1 4242 1935\r\n", bad: true},
		{name: "version 1, bad port", header: "PROXY TCP4 203.0.113.9 10.0.0.1 70000 1935\r\n", bad: true},
		{name: "version 1, line feed only", header: "PROXY TCP4 203.0.113.9 10.0.0.1 4242 1935\n", bad: true},
		{name: "version 2, unknown command", header: "\r\n\r\n\x00\r\nQUIT\n\x2f\x11\x00\x0c", bad: true},
		{name: "version 2, too short for its family", header: "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x04", bad: true},
		{name: "version 2, 64 KiB announced", header: "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff", bad: true},
	}
}

type proxyCase struct {
	name, header string
	client       string // empty: the address stays
	bad          bool
}

const balancer, stranger = "10.0.0.2:999", "192.0.2.7:999"

// send writes in pieces of n bytes, until the other end has had enough.
func send(nc net.Conn, text string, n int) {
	for len(text) > 0 {
		piece := text[:min(n, len(text))]
		if _, err := io.WriteString(nc, piece); err != nil {
			return
		}
		text = text[len(piece):]
	}
}

func TestProxyHeaderFromTrustedAddress(t *testing.T) {
	for _, test := range proxyHeaders(t) {
		for _, pieces := range []int{1, 7, 1 << 20} {
			t.Run(test.name, func(t *testing.T) {
				inner := newFakeListener()
				l := ProxyListener(inner, mustList(t, "10.0.0.0/8"), proxyTimeout)
				client := inner.dial(balancer)
				nc, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer shut(nc)
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					send(client, test.header+"\x03media", pieces)
					shut(client)
				}()
				if got := nc.RemoteAddr().String(); got != balancer {
					t.Errorf("before the header: %v", got)
				}
				got, err := ClientAddr(nc)
				if test.bad {
					if !errors.Is(err, ErrProxyHeader) || got.IsValid() {
						t.Errorf("address %v, error %v", got, err)
					}
					if _, again := nc.Read(make([]byte, 1)); !errors.Is(again, err) {
						t.Errorf("a read after %v: %v", err, again)
					}
					shut(nc)
					<-sent
					return
				}
				want := test.client
				if want == "" {
					want = balancer
				}
				if err != nil || got.String() != want {
					t.Errorf("address %v (%v), want %v", got, err, want)
				}
				if data, _ := io.ReadAll(nc); string(data) != "\x03media" {
					t.Errorf("after the header: %q", data)
				}
				<-sent
			})
		}
	}
}

func TestHeaderFromUntrustedAddressIsForeignBytes(t *testing.T) {
	for _, test := range proxyHeaders(t) {
		t.Run(test.name, func(t *testing.T) {
			inner := newFakeListener()
			l := ProxyListener(inner, mustList(t, "10.0.0.0/8"), proxyTimeout)
			for _, from := range []string{stranger, "@unix"} {
				client := inner.dial(from)
				nc, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					send(client, test.header+"\x03media", 1<<20)
					shut(client)
				}()
				if _, wrapped := nc.(*ProxyConn); wrapped {
					t.Error("the connection is wrapped, and without vectored writes")
				}
				if got, err := ClientAddr(nc); err != nil || (from == stranger) != (got.String() == stranger) {
					t.Errorf("address %v (%v)", got, err)
				}
				if data, _ := io.ReadAll(nc); string(data) != test.header+"\x03media" {
					t.Errorf("read %q", data)
				}
				shut(nc)
			}
		})
	}
}

func TestNobodyTrustedMeansNoWrapper(t *testing.T) {
	inner := newFakeListener()
	if l := ProxyListener(inner, List{}, proxyTimeout); l != net.Listener(inner) {
		t.Errorf("wrapped: %T", l)
	}
}

func TestAcceptErrorsPass(t *testing.T) {
	inner := newFakeListener()
	l := ProxyListener(inner, mustList(t, "*"), proxyTimeout)
	shut(l)
	if nc, err := l.Accept(); nc != nil || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, %v", nc, err)
	}
}

// A header that drips in, or never comes, costs its own connection five seconds and the others nothing.
func TestDrippingHeaderTimesOut(t *testing.T) {
	v2 := v2Header(t, proxyproto.TCPv4, proxyproto.PROXY, &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9).To4(), Port: 1}, 100)
	tests := []struct {
		name, header string
		putOff       bool // the owner asks for a later deadline, in vain
	}{
		{name: "nothing"},
		{name: "version 1", header: "PROXY TCP4 203.0.113.9 10.0.0.1 4242 1935\r\n"},
		{name: "within the signature of version 2", header: v2[:10], putOff: true},
		{name: "version 2", header: v2, putOff: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := newFakeListener()
				l := ProxyListener(inner, mustList(t, "10.0.0.2"), proxyTimeout)
				client := inner.dial(balancer)
				defer shut(client)
				start := time.Now()
				nc, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				ticker := time.NewTicker(300 * time.Millisecond)
				over := make(chan struct{})
				go func() {
					for i := range len(test.header) {
						_, _ = client.Write([]byte{test.header[i]})
						select {
						case <-ticker.C:
						case <-over:
							return
						}
					}
				}()
				failed := make(chan error)
				go func() {
					if test.putOff {
						_ = nc.SetDeadline(time.Now().Add(time.Hour))
					}
					_, err := ClientAddr(nc)
					failed <- err
				}()
				synctest.Wait()
				other := inner.dial("10.0.0.3:1")
				if second, err := l.Accept(); err != nil || second.RemoteAddr().String() != "10.0.0.3:1" {
					t.Errorf("the next connection: %v, %v", second, err)
				}
				shut(other)
				if at := time.Since(start); at != 0 {
					t.Errorf("the next connection waited %v", at)
				}
				err = <-failed
				if !errors.Is(err, ErrProxyHeader) || time.Since(start) != proxyTimeout {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
				shut(nc)
				close(over)
			})
		})
	}
}

func TestOwnersDeadlineIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newFakeListener()
		l := ProxyListener(inner, mustList(t, "*"), proxyTimeout)
		start := time.Now()

		early := inner.dial(balancer)
		defer shut(early)
		nc, _ := l.Accept()
		_ = nc.SetReadDeadline(start.Add(time.Second))
		if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("an earlier deadline: %v after %v", err, time.Since(start))
		}

		late := inner.dial(balancer)
		defer shut(late)
		nc, _ = l.Accept()
		_ = nc.SetReadDeadline(start.Add(time.Minute))
		go send(late, "PROXY UNKNOWN\r\n", 1<<20)
		if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("a later deadline, after the header: %v after %v", err, time.Since(start))
		}
		_ = nc.SetReadDeadline(time.Time{})
		go send(late, "x", 1)
		if n, err := nc.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("without a deadline: %v", err)
		}
	})
}

// loopback returns both ends of a TCP connection, the accepted one behind a ProxyListener that trusts it.
func loopback(t *testing.T) (client net.Conn, accepted *ProxyConn) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := ProxyListener(inner, mustList(t, "127.0.0.0/8"), proxyTimeout)
	defer shut(l)
	client, err = net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(client); shut(nc) })
	return client, nc.(*ProxyConn)
}

func TestConnectionBelowTakesVectoredWrites(t *testing.T) {
	client, accepted := loopback(t)
	send(client, "PROXY TCP4 203.0.113.9 10.0.0.1 4242 1935\r\nhello", 1<<20)
	buf := make([]byte, 3)
	if _, err := io.ReadFull(accepted, buf); err != nil || string(buf) != "hel" {
		t.Fatalf("%q, %v", buf, err)
	}
	tcp, ok := accepted.NetConn().(*net.TCPConn)
	if !ok {
		t.Fatalf("NetConn is a %T", accepted.NetConn())
	}
	if _, err := (&net.Buffers{[]byte("a"), []byte("b")}).WriteTo(tcp); err != nil {
		t.Fatal(err)
	}
	if err := accepted.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, []byte("ab")) {
		t.Errorf("%q, %v", got, err)
	}
	shut(client)
	if rest, err := io.ReadAll(accepted); err != nil || string(rest) != "lo" {
		t.Errorf("%q, %v", rest, err)
	}
	if err := (&ProxyConn{Conn: fakeConn{}}).CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite of a pipe: %v", err)
	}
}

func TestClientAddrLooksBelowTLS(t *testing.T) {
	client, accepted := loopback(t)
	send(client, "PROXY TCP4 203.0.113.9 10.0.0.1 4242 1935\r\n", 1<<20)
	got, err := ClientAddr(tls.Server(accepted, &tls.Config{}))
	if err != nil || got.String() != "203.0.113.9:4242" {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzProxyHeader(f *testing.F) {
	for _, test := range proxyHeaders(f) {
		f.Add(test.header + "\x03media")
	}
	f.Fuzz(func(t *testing.T, text string) {
		inner := newFakeListener()
		client := inner.dial(balancer)
		nc, _ := ProxyListener(inner, List{all: true}, time.Hour).Accept()
		go func() {
			send(client, text, 1<<20)
			shut(client)
		}()
		addr, err := ClientAddr(nc)
		if (err == nil) != addr.IsValid() {
			t.Errorf("address %v, error %v", addr, err)
		}
		data, _ := io.ReadAll(nc)
		if err != nil && len(data) > 0 || !strings.HasSuffix(text, string(data)) {
			t.Errorf("%q was read as %q", text, data)
		}
		shut(nc)
	})
}
