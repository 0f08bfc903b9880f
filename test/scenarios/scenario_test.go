package scenarios

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			s := &scenario{t: t, peers: make(map[string]*peer)}
			defer s.stop()
			datadriven.RunTest(t, path, s.step)
		})
	})
}

// scenario is a server and its peers, in a bubble of virtual time.
type scenario struct {
	t        *testing.T
	registry *stream.Registry
	server   *server.Server
	listener *rtmptest.Listener
	peers    map[string]*peer
	log      logLines
}

func (s *scenario) step(t *testing.T, d *datadriven.TestData) string {
	if s.server == nil && d.Cmd != "server" && d.Cmd != "covers" {
		s.start(d)
	}
	if err := s.run(d); err != nil {
		d.Fatalf(t, "%s: %v", d.Cmd, err)
	}
	synctest.Wait()
	return s.report()
}

func (s *scenario) run(d *datadriven.TestData) error {
	argument := func(i int) string {
		if i >= len(d.CmdArgs) {
			return ""
		}
		return d.CmdArgs[i].Key
	}
	if d.Cmd == "dial" {
		return s.dial(argument(0), d)
	}
	if p := s.peers[argument(0)]; p != nil {
		return p.run(d)
	}
	switch d.Cmd {
	case "covers":
		return s.covers(d)
	case "server":
		s.start(d)
	case "advance":
		duration, err := time.ParseDuration(argument(0))
		if err != nil {
			return err
		}
		time.Sleep(duration)
	case "kill":
		s.registry.KillSession(argument(0))
	case "close-stream":
		s.registry.CloseStream(argument(0), argument(1))
	case "reconnect":
		s.log.add(fmt.Sprintf("%d asked", s.registry.RequestReconnect(argument(0), argument(1))))
	case "drain":
		limit, err := time.ParseDuration(argument(0))
		go s.drain(limit)
		return err
	case "shutdown":
		return s.server.Shutdown(context.Background())
	default:
		return fmt.Errorf("unknown step, or no peer %q", argument(0))
	}
	return nil
}

func (s *scenario) drain(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s.server.Drain(ctx)
	s.shutdown()
}

func (s *scenario) shutdown() {
	if err := s.server.Shutdown(context.Background()); err != nil {
		s.t.Errorf("shutdown: %v", err)
	}
}

// covers names the rows of the conformance list that the scenario proves.
func (s *scenario) covers(d *datadriven.TestData) error {
	for _, a := range d.CmdArgs {
		row, err := strconv.Atoi(a.Key)
		if err != nil {
			return err
		}
		conformance.Covers(s.t, row)
	}
	return nil
}

func option(d *datadriven.TestData, name, otherwise string) string {
	for _, a := range d.CmdArgs {
		if a.Key == name && len(a.Vals) == 1 {
			return a.Vals[0]
		}
	}
	return otherwise
}

// number is an option that the scenario writes correctly, or does not give.
func number(d *datadriven.TestData, name string, otherwise int) int {
	if n, err := strconv.Atoi(option(d, name, "")); err == nil {
		return n
	}
	return otherwise
}

func (s *scenario) start(d *datadriven.TestData) {
	const chunkSize = 60000
	takeover := map[string]stream.Takeover{
		"idle": stream.TakeoverIdle, "never": stream.TakeoverNever, "always": stream.TakeoverAlways,
	}[option(d, "takeover", "idle")]
	s.registry = stream.NewRegistry(stream.Options{ChunkSize: chunkSize, CacheBytes: 1 << 20, Takeover: takeover})
	length := func(name string) time.Duration {
		duration, err := time.ParseDuration(option(d, name, "0s"))
		if err != nil {
			d.Fatalf(s.t, "%s: %v", name, err)
		}
		return duration
	}
	players, err := access.ParseList(option(d, "players", "*"))
	if err != nil {
		d.Fatalf(s.t, "players: %v", err)
	}
	enhanced := map[string]server.EnhancedPolicy{
		"permissive": server.EnhancedPermissive, "strict": server.EnhancedStrict,
	}[option(d, "enhanced", "permissive")]
	hevc := map[string]server.HEVCPolicy{
		"auto": server.HEVCAuto, "fourcc": server.HEVCFourCC, "legacy": server.HEVCLegacy, "published": server.HEVCPublished,
	}[option(d, "hevc", "auto")]
	s.server = server.New(server.Options{
		Registry:     s.registry,
		Authorizer:   newAuthorizer(option(d, "authorize", "yes"), &s.log),
		Limiter:      access.NewLimiter(0, access.List{}, 64),
		Guesses:      access.NewGuesses(number(d, "guesses", 0), access.List{}, 64),
		MaxBitrate:   number(d, "mbps", 0),
		Players:      players,
		ChunkSize:    chunkSize,
		IDMaxLength:  16,
		PlayWait:     length("play-wait"),
		PublishGrace: length("grace"),
		Enhanced:     enhanced,
		HEVC:         hevc,
		Log:          slog.New(&s.log),
		LogRequests:  true,
	})
	s.listener = rtmptest.NewListener()
	go func() {
		if err := s.server.Serve(s.listener); !errors.Is(err, server.ErrServerClosed) {
			s.log.add("serve: " + err.Error())
		}
	}()
}

// stop ends the server and every peer, so that nothing is left in the bubble.
func (s *scenario) stop() {
	if s.server == nil {
		return
	}
	for _, p := range s.peers {
		p.hangUp()
	}
	s.shutdown()
	if n := s.registry.Len(); n != 0 {
		s.t.Errorf("%d channels left at the end", n)
	}
}

// report tells what happened since the last step: what each peer received, in
// the order of their names, and what was logged. Lines of the log are sorted:
// those of different connections have no order.
func (s *scenario) report() string {
	var b strings.Builder
	names := make([]string, 0, len(s.peers))
	for name := range s.peers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, line := range s.peers[name].take() {
			fmt.Fprintf(&b, "%s< %s\n", name, line)
		}
	}
	for _, line := range slices.Sorted(slices.Values(s.log.take())) {
		fmt.Fprintf(&b, "log: %s\n", line)
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func (s *scenario) dial(name string, d *datadriven.TestData) error {
	from, err := netip.ParseAddrPort(option(d, "from", "198.51.100.7:50000"))
	if err != nil {
		return err
	}
	conn, err := s.listener.Dial(from)
	if err != nil {
		return err
	}
	s.peers[name] = newPeer(conn, option(d, "handshake", "simple") != "none")
	return nil
}

// authorizer answers as the scenario says: yes, no, or after some time.
type authorizer struct {
	deny  bool
	delay time.Duration
	log   *logLines

	mu sync.Mutex
	n  int
}

func newAuthorizer(policy string, log *logLines) *authorizer {
	delay, _ := time.ParseDuration(policy)
	return &authorizer{deny: policy == "no", delay: delay, log: log}
}

func (a *authorizer) Start(ctx context.Context, r access.Request) (string, error) {
	select {
	case <-time.After(a.delay):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if a.deny {
		return "", errors.New("backend said no")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	id := fmt.Sprintf("stream-%d", a.n)
	a.log.add(fmt.Sprintf("authorized %s/%s from %v as %s", r.Channel, r.Key, r.Client, id))
	return id, nil
}

func (a *authorizer) Stop(_ access.Request, streamID string) { a.log.add("stopped " + streamID) }

// unwritten are what no scenario is about.
var unwritten = []string{"bytes_in", "bytes_out", "started", "protocol"}

// logLines is a slog.Handler that keeps what does not change from run to run.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *logLines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func (l *logLines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l *logLines) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *logLines) WithGroup(string) slog.Handler                    { return l }

func (l *logLines) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if !slices.Contains(unwritten, a.Key) {
			line += fmt.Sprintf(" %s=%q", a.Key, a.Value.String())
		}
		return true
	})
	l.add(line)
	return nil
}
