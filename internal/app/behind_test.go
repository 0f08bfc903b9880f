package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/httpflv"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// stands are both servers with a listener each.
type stands struct {
	viewers
	t       *testing.T
	doors   map[string]*rtmptest.Listener
	serving sync.WaitGroup
	ended   chan string
}

func newStands(t *testing.T) *stands {
	everyone, err := access.ParseList("*")
	if err != nil {
		t.Fatal(err)
	}
	st := &stands{t: t, ended: make(chan string, 10), doors: map[string]*rtmptest.Listener{
		"rtmp": rtmptest.NewListener(), "http-flv": rtmptest.NewListener(),
	}}
	registry := stream.NewRegistry(stream.Options{ChunkSize: 60000, CacheBytes: 1 << 20})
	limiter := access.NewLimiter(0, access.List{}, 0)
	log := slog.New(slog.DiscardHandler)
	tell := func(e stream.End) { st.ended <- fmt.Sprint(e.Kind, " ", e.Protocol, " ", e.Channel, " ", e.Reason) }
	st.rtmp = server.New(server.Options{
		Registry: registry, Limiter: limiter, Players: everyone, ChunkSize: 60000, IDMaxLength: 32, Ended: tell, Log: log,
	})
	st.http = httpflv.New(httpflv.Options{
		Registry: registry, Host: st.rtmp, Limiter: limiter, Players: everyone, IDMaxLength: 32, Ended: tell, Log: log,
	})
	for protocol, serve := range map[string]func(net.Listener) error{"rtmp": st.rtmp.Serve, "http-flv": st.http.Serve} {
		st.serving.Go(func() { _ = serve(st.doors[protocol]) })
	}
	return st
}

func (st *stands) stop() {
	for _, shutdown := range []func(context.Context) error{st.http.Shutdown, st.rtmp.Shutdown} {
		if err := shutdown(context.Background()); err != nil {
			st.t.Error(err)
		}
	}
	st.serving.Wait()
}

func (st *stands) dial(protocol string) net.Conn {
	st.t.Helper()
	c, err := st.doors[protocol].Dial(netip.MustParseAddrPort("192.0.2.7:1000"))
	if err != nil {
		st.t.Fatal(err)
	}
	return c
}

// client returns a client of RTMP with a message stream.
func (st *stands) client(channel string) (client *rtmp.Client, id uint32, c net.Conn) {
	st.t.Helper()
	c = st.dial("rtmp")
	client = rtmp.NewClient(c)
	_, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}})
	if err == nil {
		_, err = client.Connect(rtmp.ConnectOptions{App: channel})
	}
	if err == nil {
		id, err = client.CreateStream()
	}
	if err != nil {
		st.t.Fatal(err)
	}
	return client, id, c
}

// plays joins a channel, and reads no more.
func (st *stands) plays(protocol, channel string) io.Closer {
	st.t.Helper()
	if protocol == "http-flv" {
		c := st.dial(protocol)
		_, _ = io.WriteString(c, "GET /"+channel+"/key.flv HTTP/1.1\r\nHost: x\r\n\r\n")
		return c
	}
	client, id, c := st.client(channel)
	if err := client.Play(id, "key"); err != nil {
		st.t.Fatal(err)
	}
	return c
}

// Whom most is kept for goes first, whatever it speaks.
func TestViewersOfAllProtocolsMakeRoomTogether(t *testing.T) {
	for first, second := range map[string]string{"rtmp": "http-flv", "http-flv": "rtmp"} {
		t.Run(first+" first", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newStands(t)
				defer st.stop()
				sizes := map[string]int{"fast": 200_000, "slow": 50_000}
				publishers := make(map[string]*rtmp.Client)
				for channel := range sizes {
					client, id, c := st.client(channel)
					if err := client.Publish(id, "key"); err != nil {
						t.Fatal(err)
					}
					defer func() { _ = c.Close() }()
					go func() { _, _ = io.Copy(io.Discard, c) }()
					publishers[channel] = client
				}
				for protocol, channel := range map[string]string{first: "fast", second: "slow"} {
					c := st.plays(protocol, channel)
					defer func() { _ = c.Close() }()
				}
				for i := range uint32(20) {
					for channel, size := range sizes {
						payload := append([]byte{0x17, 1, 0, 0, 0}, make([]byte, size)...)
						m := rtmp.Message{Type: rtmp.TypeVideo, Stream: 1, Timestamp: i * 100, Payload: payload}
						if err := publishers[channel].WriteMessage(m); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(100 * time.Millisecond)
				}
				for _, want := range []string{first + " fast", second + " slow"} {
					if n := st.CloseBehind(1); n != 1 {
						t.Errorf("%d viewers were closed, want 1", n)
					}
					want = "player " + want + " too far behind for a server short of memory"
					if got := <-st.ended; got != want {
						t.Errorf("ended: %q, want %q", got, want)
					}
				}
				if n := st.CloseBehind(1 << 40); n != 0 {
					t.Errorf("%d viewers were closed, want none: nobody is left", n)
				}
			})
		})
	}
}
