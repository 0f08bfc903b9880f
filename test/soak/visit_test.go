package soak

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// addresses is how many there are to come from: enough for none to meet its limits
// by chance, and for the server to forget most of them in the meantime.
const addresses = 20_000

// visit is one visitor, with all the connections that it opens.
type visit struct {
	soak   *soak
	number uint64
	random *mathrand.Rand
	from   string
	ctx    context.Context
	conns  []*net.TCPConn
	reads  sync.WaitGroup
}

// visit plays one visitor of a kind.
func (s *soak) visit(n uint64, k *kind) {
	ctx, cancel := context.WithTimeout(s.Context(), leaveLimit)
	defer cancel()
	v := &visit{soak: s, number: n, random: s.randomness(n), ctx: ctx}
	address := v.random.IntN(addresses)
	v.from = fmt.Sprintf("127.%d.%d.%d", 10+address/62500, address/250%250, 1+address%250)
	outcome, err := k.come(v)
	switch {
	case err == nil:
	case machineIsPressed():
		outcome = outcomeForgiven
		s.Logf("visitor %d, a %s: %v", n, k.name, err)
	default:
		outcome = "failed"
		s.Errorf("visitor %d, a %s: %v\n%s", n, k.name, err, s.known(v.from))
	}
	for _, conn := range v.conns {
		_ = conn.Close()
	}
	v.reads.Wait()
	s.book.visited(k.name, outcome)
}

// known is what the server has logged of an address.
func (s *soak) known(address string) string {
	var lines []string
	for _, line := range s.server.Log.All() {
		if strings.Contains(line, address) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// dial opens a connection, by which the server will have one more to account for.
func (v *visit) dial(addr string) (*net.TCPConn, error) {
	conn, err := v.soak.dial(v.ctx, v.from, addr)
	if err == nil {
		v.conns = append(v.conns, conn)
		err = conn.SetDeadline(time.Now().Add(leaveLimit))
	}
	return conn, err
}

func (s *soak) dial(ctx context.Context, from, addr string) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: 2 * stage.Soon, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s.book.opened(addr == s.secure)
	return conn.(*net.TCPConn), nil
}

// guest is a connection that speaks RTMP.
type guest struct {
	*rtmp.Client
	soak   *soak
	conn   *net.TCPConn
	stream uint32
}

// arrive connects and shakes hands, by TLS if secure.
func (v *visit) arrive(secure bool) (*guest, error) {
	addr := v.soak.server.Addr
	if secure {
		addr = v.soak.secure
	}
	conn, err := v.dial(addr)
	if err != nil {
		return nil, err
	}
	return v.soak.greet(conn, secure)
}

func (s *soak) greet(conn *net.TCPConn, secure bool) (*guest, error) {
	var way io.ReadWriter = conn
	if secure {
		way = tls.Client(conn, s.issuer.Config())
	}
	g := &guest{Client: rtmp.NewClient(way), soak: s, conn: conn}
	if _, err := g.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: rand.Reader}); err != nil {
		return nil, fmt.Errorf("shake hands: %w", err)
	}
	return g, nil
}

// start publishes or plays.
func (g *guest) start(channel, key string, how func(c *rtmp.Client, stream uint32, key string) error) error {
	if _, err := g.Connect(rtmp.ConnectOptions{App: channel, TCURL: "rtmp://server/" + channel}); err != nil {
		return err
	}
	var err error
	if g.stream, err = g.CreateStream(); err != nil {
		return err
	}
	return how(g.Client, g.stream, key)
}

func (g *guest) publish(channel, key string) error {
	g.soak.book.publications.tried.Add(1)
	err := g.start(channel, key, stage.Publishing)
	if err == nil {
		g.soak.book.publications.done.Add(1)
	}
	return err
}

func (g *guest) play(channel, key string) error {
	g.soak.book.views.tried.Add(1)
	err := g.start(channel, key, stage.Watching)
	if err == nil {
		g.soak.book.views.done.Add(1)
	}
	return err
}

// listen reads, and forgets, what the server says to a publisher.
func (v *visit) listen(g *guest) {
	v.reads.Go(func() {
		for {
			if _, err := g.ReadMessage(); err != nil {
				return
			}
		}
	})
}

// while returns a time between two, by chance.
func (v *visit) while(shortest, longest time.Duration) time.Duration {
	return shortest + time.Duration(v.random.Int64N(int64(longest-shortest)))
}

// stay lets such a time pass.
func (v *visit) stay(shortest, longest time.Duration) {
	stage.Pause(v.ctx, v.while(shortest, longest))
}

// say sends a command without waiting for an answer.
func (g *guest) say(name string, args ...any) {
	_ = g.WriteMessage(rtmp.Command{Name: name, Args: args}.Message(0))
}

// leave ends a connection in one of the ways in which clients do.
func (v *visit) leave(g *guest) {
	switch v.random.IntN(4) {
	case 0:
		g.say("deleteStream", float64(g.stream))
		_ = g.conn.CloseWrite()
	case 1:
		_ = g.conn.CloseWrite()
	case 2: // in the middle of a message
		_, _ = g.conn.Write([]byte{4, 0, 0, 0, 0, 16, 0, byte(rtmp.TypeVideo), 1, 0, 0, 0, 0x17, 1})
	default:
		_ = g.conn.SetLinger(0)
	}
	_ = g.conn.Close()
}

// outlived waits for the server to close the connection, which it must do in time.
func outlived(conn *net.TCPConn, limit time.Duration) error {
	began := time.Now()
	_ = conn.SetReadDeadline(began.Add(limit))
	_, err := io.Copy(io.Discard, conn) // a reset is as good as an end
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("still connected after %v", limit)
	}
	return nil
}
