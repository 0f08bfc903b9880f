package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// startServer starts a real server, over TLS if there is a configuration for
// that, which the given addresses may play from, and returns its address.
func startServer(t *testing.T, config *tls.Config, players string) string {
	t.Helper()
	allowed, err := access.ParseList(players)
	if err != nil {
		t.Fatal(err)
	}
	const chunkSize = 4096
	s := server.New(server.Options{
		Registry:    stream.NewRegistry(stream.Options{ChunkSize: chunkSize, CacheBytes: 1 << 20}),
		Limiter:     access.NewLimiter(0, access.List{}, 64),
		Players:     allowed,
		ChunkSize:   chunkSize,
		IDMaxLength: 128,
		Log:         slog.New(slog.DiscardHandler),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		if config == nil {
			served <- s.Serve(l)
		} else {
			served <- s.ServeTLS(l, config)
		}
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; !errors.Is(err, server.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// brief are options of a run that does not take long.
func brief(url string) Options {
	o := Defaults()
	o.URL = url
	o.Publishers, o.Players, o.Watchers = 0, 4, 1
	o.GOP = 200 * time.Millisecond
	o.Settle = 0
	o.Duration = 300 * time.Millisecond
	return o
}

// patience is how long the tests let a join take, on a busy machine.
const patience = 5 * time.Second

// measure runs with the given patience and returns what was said too.
func measure(ctx context.Context, t *testing.T, o Options, patience time.Duration) (Report, string, error) {
	t.Helper()
	var said transcript
	r, err := newRun(o, false, &said)
	if err != nil {
		t.Fatal(err)
	}
	r.joinTimeout = patience
	report, err := r.measure(ctx)
	return report, said.String(), err
}

func TestRunAgainstTheServer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		scheme string
		tls    *tls.Config
	}{
		{"plain", "rtmp", nil},
		{"TLS", "rtmps", certificate(t)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := brief(test.scheme + "://" + startServer(t, test.tls, "*") + "/bench{n}/key")
			o.Publishers, o.Players, o.Watchers, o.Stalled = 2, 20, 3, 1
			o.Bitrate = 1_000_000
			o.Duration = 2 * time.Second
			o.Settle = 200 * time.Millisecond
			o.Insecure = true
			var said transcript
			r, err := Run(t.Context(), o, false, &said)
			if err != nil {
				t.Fatalf("%v\n%s", err, said.String())
			}
			if r.Joined != 20 || r.Failed != 0 || r.Ended != 0 || r.Reconnects != 0 {
				t.Errorf("joined %d, failed %d, ended %d, reconnects %d\n%s", r.Joined, r.Failed, r.Ended, r.Reconnects, said.String())
			}
			if r.Gaps != 0 || r.LostMessages != 0 || r.Bytes == 0 || r.WireBytes == 0 {
				t.Errorf("%d bytes, %d on the wire, %d gaps", r.Bytes, r.WireBytes, r.Gaps)
			}
			if r.Delivered == nil || *r.Delivered < 0.99 || *r.Delivered > 1 {
				t.Errorf("%d of %v bytes delivered", r.Bytes, *r.ExpectedBytes)
			}
			if r.PublishedBytes*10 != *r.ExpectedBytes {
				t.Errorf("published %d bytes for ten players each, expected %d", r.PublishedBytes, *r.ExpectedBytes)
			}
			if r.Latency == nil || r.Lag == nil || r.LagFirst == nil || r.LagLast == nil || r.BatchMS == nil || r.Join == nil {
				t.Errorf("something was not measured: %+v", r)
			}
			if r.Server != nil {
				t.Error("the server was measured although nobody asked")
			}
			if text := said.String(); !strings.Contains(text, "20/20 players") {
				t.Errorf("live lines:\n%s", text)
			}
		})
	}
}

func TestPublishersAlone(t *testing.T) {
	t.Parallel()
	o := brief("rtmp://" + startServer(t, nil, "*") + "/bench{n}/key")
	o.Publishers, o.Players = 3, 0
	o.Duration = 1500 * time.Millisecond
	r, said, err := measure(t.Context(), t, o, patience)
	if err != nil || r.PublishedBytes == 0 || r.Delivered != nil || r.Latency != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if !strings.Contains(said, "3 publishers  ") {
		t.Errorf("live lines:\n%s", said)
	}
}

func TestPlayersOfSomebodyElsesStream(t *testing.T) {
	t.Parallel()
	frame := rtmp.Message{Type: rtmp.TypeVideo, ChunkStream: 6, Stream: 1, Payload: []byte("unmarked")}
	f := startFake(t, func(_ int, c net.Conn) {
		r, asked := converse(c)
		say(c, started(asked))
		gone := make(chan struct{})
		go func() {
			listen(r)
			close(gone)
		}()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				say(c, frame)
			case <-gone:
				return
			}
		}
	})
	r, _, err := measure(t.Context(), t, brief(f.url()), patience)
	if err != nil || r.Joined != 4 || r.Bytes == 0 || r.Delivered != nil || r.PublishedBytes != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWhoCannotJoinIsTold(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	nobody := closed.Addr().String()
	denied := func(_ int, c net.Conn) {
		if r, _ := converse(c); r != nil {
			say(c, rtmp.OnStatus(1, rtmp.Status{Level: rtmp.LevelError, Code: rtmp.CodePlayStreamNotFound}))
			listen(r)
		}
	}
	hangup := func(int, net.Conn) {}
	foreign := func(_ int, c net.Conn) {
		_, _ = c.Write([]byte("SSH-2.0\r\n"))
		silent(0, c)
	}
	for _, test := range []struct {
		name, addr, want string
		patience         time.Duration
	}{
		{"nobody listens", nobody, "connection refused", patience},
		{"silent server", startFake(t, silent).addr, "did not answer in time", 200 * time.Millisecond},
		{"refused", startFake(t, denied).addr, rtmp.CodePlayStreamNotFound, patience},
		{"foreign protocol", startFake(t, foreign).addr, "does not speak plain RTMP", patience},
		{"hung up", startFake(t, hangup).addr, "", patience},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, publishers := range []int{0, 1} {
				o := brief("rtmp://" + test.addr + "/bench/key")
				o.Publishers = publishers
				_, said, err := measure(t.Context(), t, o, test.patience)
				if err == nil {
					t.Fatal("measured")
				}
				if publishers == 1 {
					if !strings.Contains(err.Error(), "publisher 0") {
						t.Errorf("a publisher: %v", err)
					}
					continue
				}
				if !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want %q", err, test.want)
				}
				if n := strings.Count(said, "cannot join"); n > 1 {
					t.Errorf("told %d times:\n%s", n, said)
				}
			}
		})
	}
}

func TestPlayersThatFailDoNotSpoilTheOthers(t *testing.T) {
	t.Parallel()
	f := startFake(t, func(number int, c net.Conn) {
		if r, asked := converse(c); r != nil && number%2 == 0 {
			say(c, started(asked))
			listen(r)
		}
	})
	r, said, err := measure(t.Context(), t, brief(f.url()), patience)
	if err != nil || r.Joined != 2 || r.Failed != 2 || !strings.Contains(said, "cannot join") {
		t.Errorf("%+v, %v\n%s", r, err, said)
	}
}

func TestPlayersThatAreDroppedComeBack(t *testing.T) {
	t.Parallel()
	// Of the watcher and the three others, each is dropped once.
	f := startFake(t, func(number int, c net.Conn) {
		r, asked := converse(c)
		say(c, started(asked))
		if number >= 4 {
			listen(r)
			return
		}
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		listen(r)
	})
	o := brief(f.url())
	o.Duration = 3 * time.Second
	r, said, err := measure(t.Context(), t, o, patience)
	if err != nil || r.Joined != 4 || r.Ended != 4 || r.Reconnects != 4 {
		t.Errorf("%+v, %v\n%s", r, err, said)
	}
	if !strings.Contains(said, "4/4 players (failed 0, lost 4, came back 4)") {
		t.Errorf("live lines:\n%s", said)
	}
	if n := strings.Count(said, "a player is gone"); n < 1 || n > 4 || !strings.Contains(said, "times: a player is gone") {
		t.Errorf("told %d times:\n%s", n, said)
	}
}

func TestLostPublisherSpoilsTheReport(t *testing.T) {
	t.Parallel()
	f := startFake(t, func(_ int, c net.Conn) {
		r, asked := converse(c)
		say(c, started(asked))
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		listen(r)
	})
	o := brief(f.url())
	o.Publishers, o.Players = 1, 0
	o.Duration = 600 * time.Millisecond
	r, said, err := measure(t.Context(), t, o, patience)
	if err == nil || !strings.Contains(err.Error(), "publisher 0 was lost") || r.PublishedBytes == 0 || !strings.Contains(said, "was lost") {
		t.Errorf("%+v, %v\n%s", r, err, said)
	}
}

func TestInterruptedRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name             string
		settle, duration time.Duration
		measured         bool
	}{
		{"before the measurement", time.Minute, time.Second, false},
		{"while it measures", 0, time.Minute, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := brief("rtmp://" + startServer(t, nil, "*") + "/bench{n}/key")
			o.Publishers, o.Settle, o.Duration = 1, test.settle, test.duration
			ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
			defer cancel()
			r, _, err := measure(ctx, t, o, patience)
			if !test.measured {
				if !errors.Is(err, ErrInterrupted) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || r.Seconds > 30 || r.Bytes == 0 || *r.Delivered < 0.99 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestInterruptedWhilePlayersJoin(t *testing.T) {
	t.Parallel()
	o := brief(startFake(t, silent).url())
	o.Ramp = 1
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := measure(ctx, t, o, patience); !errors.Is(err, ErrInterrupted) {
		t.Errorf("%v", err)
	}
}

func TestServerCostIsMeasured(t *testing.T) {
	t.Parallel()
	o := brief("rtmp://" + startServer(t, nil, "*") + "/bench{n}/key")
	o.Publishers = 1
	o.PIDs = []int{os.Getpid()}
	r, _, err := measure(t.Context(), t, o, patience)
	if err != nil || r.Server == nil || r.Generator == nil {
		t.Fatalf("%+v, %v", r, err)
	}
	s := r.Server
	if s.CPUSeconds <= 0 || s.CPUPercent <= 0 || *s.CPUSecondsPerGB <= 0 || *s.CPUPerPlayerSeconds <= 0 {
		t.Errorf("processor time %+v", *s)
	}
	if s.RSSBefore < 1<<20 || s.RSS < 1<<20 || s.RSSPeak < s.RSS {
		t.Errorf("memory %+v", *s)
	}
	o.PIDs = []int{1 << 30}
	if _, _, err := measure(t.Context(), t, o, patience); err == nil || !strings.Contains(err.Error(), "process 1073741824") {
		t.Errorf("of no process: %v", err)
	}
}

func TestTooManyFilesAreRefused(t *testing.T) {
	t.Parallel()
	if err := raiseFileLimit(1 << 40); err == nil || !strings.Contains(err.Error(), "ulimit") {
		t.Errorf("a limit of 2^40 open files: %v", err)
	}
}
