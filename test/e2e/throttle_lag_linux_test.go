package e2e

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// spoiled is a heavy stream with two viewers: one on the server's machine, that
// has to get everything, and one on a link that can be spoiled.
type spoiled struct {
	*stage.Numbered
	network *stage.Network
	server  *stage.Server
	conn    net.Conn // of the viewer
	viewer  *stage.Journal[rtmp.Message]
	id      string // of the viewer, in the server's log
	live    bool   // the server keeps no group
}

const spoiledChannel = "channel"

// startSpoiled starts it all. dial connects the second viewer.
func startSpoiled(t *testing.T, what stage.Content, dial func(s *stage.Server) *stage.Client, settings ...string) *spoiled {
	t.Helper()
	b := &spoiled{network: stage.NewNetwork(t)}
	var publisher, witness, viewer *stage.Client
	b.network.Server.Do(func() {
		b.server = stage.Start(t, append(settings, "BIND_ADDRESS="+stage.ServerHost, "MAX_IP_CONCURRENT_CONNECTIONS=0")...)
		publisher, witness = dialPlain(t, b.server), dialPlain(t, b.server)
	})
	b.network.Viewer.Do(func() { viewer = dial(b.server) })
	if err := viewer.Start(spoiledChannel, "key", stage.Watching); err != nil {
		t.Fatal(err)
	}
	b.id = stage.Attr(b.server.AwaitLine("msg=play", " addr="+stage.ViewerHost+":"), "id")
	b.conn, b.viewer = viewer.Conn, viewer.Record()
	b.Numbered = stage.StartContent(t, publisher, witness, spoiledChannel, what)
	return b
}

func dialPlain(t *testing.T, s *stage.Server) *stage.Client {
	t.Helper()
	c, err := stage.DialFrom(t, "", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// finish ends the stream, wants the witness to have got everything, and returns
// what the other viewer got up to the end.
func (b *spoiled) finish() *groupReader {
	b.T.Helper()
	b.CheckUnharmed()
	all := stage.AwaitEvent(b.T, b.viewer, 1, rtmp.CodePlayUnpublishNotify)
	got := readGroups(b.T, all, b.live)
	if got.next != b.Sent {
		b.T.Errorf("the slow viewer's last message is %d, the stream's is %d", got.next-1, b.Sent-1)
	}
	return got
}

// A viewer that cannot keep up, for want of a network or of a program that
// reads, misses whole groups and never single frames: wherever something is
// missing it gets the headers and a keyframe. The log tells, and nobody else
// notices.
//
// Where the server keeps no group, it goes on at the live edge.
func TestSlowViewerSkipsToKeyframes(t *testing.T) {
	t.Parallel()
	ca := stage.NewIssuer(t)
	certificate := ca.Issue(t, t.TempDir())
	plain := func(t *testing.T, s *stage.Server, _ *rate.Limiter) *stage.Client { return dialPlain(t, s) }
	narrow := func(n *stage.Network, _ *rate.Limiter) { n.Narrow(slowRate) }
	widen := func(n *stage.Network, _ *rate.Limiter) { n.Widen() }
	tests := []struct {
		name string
		dial func(t *testing.T, s *stage.Server, pace *rate.Limiter) *stage.Client
		// slow bounds the viewer, and fast takes the bound away.
		slow, fast func(n *stage.Network, pace *rate.Limiter)
		live       bool
	}{
		{"narrow link", plain, narrow, widen, false},
		{
			"narrow link, by RTMPS",
			func(t *testing.T, s *stage.Server, _ *rate.Limiter) *stage.Client {
				return stage.DialSecure(t, s, ca.Config())
			},
			narrow, widen, false,
		},
		{
			"slow reader", dialSlowReader,
			func(_ *stage.Network, pace *rate.Limiter) { pace.SetLimit(slowRate * 1000 / 8) },
			func(_ *stage.Network, pace *rate.Limiter) { pace.SetLimit(rate.Inf) },
			false,
		},
		{"narrow link, no group kept", plain, narrow, widen, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pace := rate.NewLimiter(rate.Inf, slowReadSize)
			dial := func(s *stage.Server) *stage.Client { return tt.dial(t, s, pace) }
			settings := certificate.Settings()
			if tt.live {
				settings = append(settings, "GOP_CACHE_SIZE_MB=0")
			}
			b := startSpoiled(t, heavyContent(t), dial, settings...)
			b.live = tt.live
			tt.slow(b.network, pace)
			b.awaitGaps(2, 20*time.Second)
			tt.fast(b.network, pace)
			got := b.finish()
			for _, missed := range got.gaps {
				t.Logf("missed %d messages, %d bytes", missed.messages, missed.bytes)
			}
			if !b.live { // what comes before the next keyframe is left out later
				b.checkSkips(got.gaps)
			}
			b.checkSum(got.gaps)
		})
	}
}

// awaitGaps waits until the viewer has missed something for the nth time, and has
// gone on.
func (b *spoiled) awaitGaps(n int, within time.Duration) {
	b.T.Helper()
	reader := &groupReader{live: b.live}
	if _, ok := b.viewer.Await(within, func(m rtmp.Message) bool {
		reader.read(m)
		return len(reader.gaps) >= n
	}); !ok {
		b.T.Fatalf("the slow viewer skipped %d times within %v, want %d", len(reader.gaps), within, n)
	}
}

// checkSkips wants the log to tell of the first gap at once, and of the others
// in lines of their own or several together.
func (b *spoiled) checkSkips(gaps []gap) {
	b.T.Helper()
	lines := skipLines(b.server, b.id, stage.ViewerHost)
	if len(gaps) > 0 && len(lines) == 0 {
		b.T.Error("the log does not tell of what the viewer missed")
	}
	var sum gap
	for i, missed := range gaps {
		sum.add(missed)
		if len(lines) > 0 && lines[0].what.explains(sum) {
			lines, sum = lines[1:], gap{}
		} else if i == 0 {
			b.T.Error("the log does not tell of the first gap")
		}
	}
	if len(lines) > 0 {
		b.T.Errorf("the viewer did not miss what the log says: %+v", lines)
	}
}

// checkSum wants the last line of the viewer to tell of everything that it
// missed.
func (b *spoiled) checkSum(gaps []gap) {
	b.T.Helper()
	_ = b.conn.Close()
	end := b.server.AwaitLine("msg=end", " id="+b.id+" ", "messages_skipped")
	var missed gap
	for _, g := range gaps {
		missed.add(g)
	}
	told := gap{number(b.T, end, "messages_skipped"), number(b.T, end, "bytes_skipped")}
	if !told.explains(missed) {
		b.T.Errorf("the viewer missed %+v, the log tells of %+v", missed, told)
	}
}

// slowReadSize is the most that the slow reader takes at a time.
const slowReadSize = 4 << 10

// dialSlowReader connects a client that reads no faster than a pace, with a
// small buffer in its kernel.
func dialSlowReader(t *testing.T, s *stage.Server, pace *rate.Limiter) *stage.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	c, err := stage.DialThrough(t, s.Addr, func(conn *net.TCPConn) (io.ReadWriter, error) {
		return struct {
			io.Reader
			io.Writer
		}{&slowReader{ctx, conn, pace}, conn}, conn.SetReadBuffer(32 << 10)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type slowReader struct {
	ctx  context.Context // ends with the test
	conn net.Conn
	pace *rate.Limiter
}

func (r *slowReader) Read(p []byte) (int, error) {
	n, err := r.conn.Read(p[:min(len(p), slowReadSize)])
	if n > 0 && err == nil {
		err = r.pace.WaitN(r.ctx, n)
	}
	return n, err
}
