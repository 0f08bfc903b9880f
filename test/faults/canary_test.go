package faults

import (
	"crypto/rand"
	"crypto/tls"
	"io"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

const (
	canaryHost = "127.9.9.9" // where the clients of the canary come from
	// canaryGap is the longest pause that its players may see. It is far below what
	// a server costs that waits for somebody, and leaves room for a busy machine.
	canaryGap = 2 * time.Second
)

// canary is a stream that has nothing to do with the fault, and must not notice it.
type canary struct {
	f     *fault
	song  *stage.Canary
	quiet bool // once finished
	// excused is how much longer than usual a pause may be, since the fault holds
	// the whole server up.
	excused time.Duration
}

func startCanary(f *fault) *canary {
	f.Helper()
	started := func(addr string, config *tls.Config, how func(c *rtmp.Client, stream uint32, key string) error) *stage.Client {
		c, err := dial(f, canaryHost, addr, config)
		if err == nil {
			err = c.Start(stage.CanaryChannel, "key", how)
		}
		if err != nil {
			f.Fatal(err)
		}
		return c
	}
	c := &canary{f: f, song: &stage.Canary{
		Players: []*stage.CanaryPlayer{
			{Name: "plain", Client: started(f.server.Addr, nil, stage.Watching)},
			{Name: "TLS", Client: started(f.server.SecureAddr(), f.issuer.Config(), stage.Watching)},
		},
		Publisher: started(f.server.Addr, nil, stage.Publishing),
	}}
	c.song.Start()
	c.await(1)
	return c
}

// dial connects from a local address, by TLS if there is a configuration.
func dial(f *fault, from, addr string, config *tls.Config) (*stage.Client, error) {
	conn, err := f.connection(from, addr)
	if err != nil {
		return nil, err
	}
	f.Cleanup(func() { _ = conn.Close() })
	var way io.ReadWriter = conn
	if config != nil {
		way = tls.Client(conn, config)
	}
	c := &stage.Client{Client: rtmp.NewClient(way), T: f.T, Conn: conn}
	_, err = c.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: rand.Reader})
	return c, err
}

// await wants n more messages to come to each player.
func (c *canary) await(n int64) {
	c.f.Helper()
	if err := c.song.Await(n); err != nil {
		c.f.Error(err)
	}
}

// finish ends the stream, and wants it to have been complete.
func (c *canary) finish() {
	c.f.Helper()
	if c.quiet {
		return
	}
	c.quiet = true
	c.await(3)
	for _, err := range c.song.Finish(stage.Soon) {
		c.f.Error(err)
	}
	gap := c.song.Gap()
	if gap > canaryGap+c.excused {
		c.f.Errorf("the canary was silent for %v", gap)
	}
	_, got := c.song.Count()
	c.f.figure("canary messages", got)
	c.f.figure("p99 delay", c.song.Delay(0, 1).Round(100*time.Microsecond))
	c.f.figure("longest gap", gap.Round(time.Millisecond))
}
