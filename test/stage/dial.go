package stage

import (
	"crypto/rand"
	"io"
	"net"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// DialThrough opens a connection and shakes hands on what wrap makes of it. It
// is closed when the test ends.
func DialThrough(t *testing.T, addr string, wrap func(*net.TCPConn) (io.ReadWriter, error)) (*Client, error) {
	t.Helper()
	return DialThroughFrom(t, "", addr, wrap)
}

// DialThroughFrom is DialThrough from a local address, any if empty.
func DialThroughFrom(t *testing.T, from, addr string, wrap func(*net.TCPConn) (io.ReadWriter, error)) (*Client, error) {
	t.Helper()
	dialer := net.Dialer{Timeout: Soon}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	nc, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	conn := nc.(*net.TCPConn)
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(connTimeout)); err != nil {
		return nil, err
	}
	way, err := wrap(conn)
	if err != nil {
		return nil, err
	}
	c := &Client{Client: rtmp.NewClient(way), T: t, Conn: conn}
	_, err = c.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: rand.Reader})
	return c, err
}

// Start connects to the app of a channel and publishes or plays its key.
func (c *Client) Start(channel, key string, how func(c *rtmp.Client, stream uint32, key string) error) error {
	if _, err := c.Connect(rtmp.ConnectOptions{App: channel, TCURL: "rtmp://server/" + channel}); err != nil {
		return err
	}
	var err error
	if c.Stream, err = c.CreateStream(); err != nil {
		return err
	}
	return how(c.Client, c.Stream, key)
}

// What a client can start.
var (
	Publishing = (*rtmp.Client).Publish
	Watching   = (*rtmp.Client).Play
)
