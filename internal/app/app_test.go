package app

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"regexp"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func settings(t *testing.T, env map[string]string) config.Settings {
	t.Helper()
	s, err := config.Load(func(name string) (string, bool) {
		v, ok := env[name]
		if name == "ADMIN_ADDRESS" && !ok {
			return "NO", true
		}
		return v, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// running is a server in the background.
type running struct {
	addr  string
	admin string // URL of the administration, if there is one
	stop  context.CancelFunc
	done  chan error
}

var (
	listening     = regexp.MustCompile(`msg=listening .*listen=(\S+)`)
	administering = regexp.MustCompile(`msg=administration .*url=(\S+)`)
)

func start(t *testing.T, env map[string]string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	lines, w := io.Pipe()
	r := &running{stop: stop, done: make(chan error, 1)}
	s := settings(t, env)
	go func() {
		err := Run(ctx, s, slog.New(slog.NewTextHandler(w, nil)), nil)
		_ = w.Close()
		r.done <- err
	}()
	scanner := bufio.NewScanner(lines)
	for scanner.Scan() {
		if m := listening.FindStringSubmatch(scanner.Text()); m != nil {
			r.addr = m[1]
		}
		if m := administering.FindStringSubmatch(scanner.Text()); m != nil {
			r.admin = m[1]
		}
		if r.addr != "" && (r.admin != "" || s.Admin.Address == "") {
			go func() { _, _ = io.Copy(io.Discard, lines) }()
			return r
		}
	}
	t.Fatalf("the server does not listen: %v", <-r.done)
	return nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	r := start(t, map[string]string{"RTMP_PORT": "0", "BIND_ADDRESS": "127.0.0.1"})
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := rtmp.NewClient(conn)
	if _, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Connect(rtmp.ConnectOptions{App: "live"}); err != nil {
		t.Fatal(err)
	}
	r.stop()
	awaitStatus(t, client, rtmp.CodeConnectAppShutdown)
	_ = conn.Close()
	if err := <-r.done; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

// TestAStopWaitsForThoseWhoConnectElsewhere has a client that understands the
// request to reconnect stay for longer than it is given.
func TestAStopWaitsForThoseWhoConnectElsewhere(t *testing.T) {
	r := start(t, map[string]string{"RTMP_PORT": "0", "BIND_ADDRESS": "127.0.0.1", "DRAIN_SECONDS": "1"})
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := rtmp.NewClient(conn)
	if _, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
		t.Fatal(err)
	}
	connect := rtmp.Command{Name: "connect", Object: amf.Object{{Name: "app", Value: "live"}, {Name: "capsEx", Value: 1.0}}}
	if _, err := client.Call(connect); err != nil {
		t.Fatal(err)
	}
	r.stop()
	asked := awaitStatus(t, client, rtmp.CodeReconnectRequest)
	told := awaitStatus(t, client, rtmp.CodeConnectAppShutdown)
	if waited := told.Sub(asked); waited < 900*time.Millisecond || waited > 5*time.Second {
		t.Errorf("it was given %v, want a second", waited)
	}
	_ = conn.Close()
	if err := <-r.done; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

// awaitStatus returns when the client was told of a status.
func awaitStatus(t *testing.T, client *rtmp.Client, code string) time.Time {
	t.Helper()
	for {
		m, err := client.ReadMessage()
		if err != nil {
			t.Fatalf("the client was not told of %s: %v", code, err)
		}
		if m.Type != rtmp.TypeCommand {
			continue
		}
		command, err := rtmp.ParseCommand(m)
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := rtmp.ParseStatus(command); status.Code == code {
			return time.Now()
		}
	}
}

func TestCheck(t *testing.T) {
	r := start(t, map[string]string{"RTMP_PORT": "0", "BIND_ADDRESS": "127.0.0.1"})
	_, port, _ := net.SplitHostPort(r.addr)
	s := settings(t, map[string]string{"RTMP_PORT": port, "BIND_ADDRESS": "127.0.0.1"})
	if err := Check(t.Context(), s); err != nil {
		t.Errorf("a server that runs: %v", err)
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), s); err == nil {
		t.Error("a server that does not run answers")
	}
}

func TestRunFailsOnAPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	s := settings(t, map[string]string{"RTMP_PORT": port, "BIND_ADDRESS": "127.0.0.1"})
	if err := Run(t.Context(), s, slog.New(slog.DiscardHandler), nil); err == nil {
		t.Error("Run did not fail")
	}
}

func TestEveryTakeoverPolicyIsKnown(t *testing.T) {
	for _, policy := range []string{"idle", "never", "always"} {
		s := settings(t, map[string]string{"PUBLISH_TAKEOVER": policy})
		if _, ok := takeovers[s.Takeover]; !ok {
			t.Errorf("policy %q means nothing to the registry", policy)
		}
	}
}
