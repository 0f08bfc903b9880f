package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// balanced is a server behind HAProxy, on the port that it balances.
type balanced struct{ addr, admin string }

// documentedBalancer returns the configuration of docs/operations.md with other
// addresses, and with checks that come more often.
func documentedBalancer(t *testing.T, listen string, one, two balanced) string {
	t.Helper()
	fragment := regexp.MustCompile("(?s)```\n(frontend rtmp\n.*?)```").FindStringSubmatch(read(t, "../../docs/operations.md"))
	if fragment == nil {
		t.Fatal("docs/operations.md has no configuration of HAProxy")
	}
	config := fragment[1]
	for _, change := range [][2]string{
		{"bind :1935", "bind " + listen},
		{"10.0.0.11:1935", one.addr}, {"10.0.0.12:1935", two.addr},
		{"port 8080", "port " + one.admin}, {"port 8080", "port " + two.admin},
		{"inter 2s", "inter 500ms"},
	} {
		if !strings.Contains(config, change[0]) {
			t.Fatalf("the documented configuration has no more %q", change[0])
		}
		config = strings.Replace(config, change[0], change[1], 1)
	}
	return config
}

// startHAProxy returns when HAProxy listens on an address, and wants it to have
// nothing against its configuration.
func startHAProxy(t *testing.T, config, addr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	stage.StartProgram(t, "haproxy", "-c", "-dW", "-q", "-f", file).Succeed(stage.Soon)
	haproxy := stage.StartProgram(t, "haproxy", "-db", "-f", file)
	for overdue := time.Now().Add(stage.Soon); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(overdue) || !stage.Pause(t.Context(), 20*time.Millisecond) {
			_ = haproxy.Cmd.Process.Kill()
			<-haproxy.Done
			t.Fatalf("haproxy does not listen: %v\n%s", err, haproxy.Output.String())
		}
	}
}

// startBehind starts a server that trusts the balancer and answers its checks.
func startBehind(t *testing.T, settings ...string) (s *stage.Server, admin string) {
	t.Helper()
	s = stage.Start(t, append([]string{
		"PROXY_PROTOCOL_FROM=127.0.0.1", "ADMIN_ADDRESS=127.0.0.1:0", "PUBLISH_GRACE_SECONDS=0",
	}, settings...)...)
	url := strings.TrimSuffix(stage.Attr(s.AwaitLine("msg=administration"), "url"), "/")
	_, admin, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return s, admin
}

// What docs/operations.md says about HAProxy works, for RTMP and for RTMPS, which
// passes through: clients are known by their own addresses.
func TestClientsOfHAProxyHaveTheirOwnAddress(t *testing.T) {
	t.Parallel()
	ca := stage.NewIssuer(t)
	s, admin := startBehind(t, append(ca.Issue(t, t.TempDir()).Settings(), "MAX_IP_CONCURRENT_CONNECTIONS=2")...)
	for _, protocol := range []string{"rtmp", "rtmps"} {
		t.Run(protocol, func(t *testing.T) {
			server, publisher, players := balanced{s.Addr, admin}, "127.0.3.1", []string{"127.0.3.2", "127.0.3.3"}
			wrap := func(conn *net.TCPConn) (io.ReadWriter, error) { return conn, nil }
			if protocol == "rtmps" {
				server.addr = s.SecureAddr()
				publisher, players = "127.0.4.1", []string{"127.0.4.2", "127.0.4.3"}
				wrap = func(conn *net.TCPConn) (io.ReadWriter, error) { return tls.Client(conn, ca.Config()), nil }
			}
			addr, _ := stage.FreeAddr(t, "127.0.0.1")
			startHAProxy(t, documentedBalancer(t, addr, server, server), addr)
			dial := func(from string) *stage.Client {
				c, err := stage.DialThroughFrom(t, from, addr, wrap)
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			// More of them than one address may have.
			n := stage.StartNumbered(t, dial(publisher), dial(players[0]), protocol)
			s.AwaitLine("msg=publish", "channel="+protocol, " addr="+publisher+":")
			s.AwaitLine("msg=play", "channel="+protocol, " addr="+players[0]+":")
			second := dial(players[1])
			if err := second.Start(protocol, "key", stage.Watching); err != nil {
				t.Fatal(err)
			}
			stage.AwaitEvent(t, second.Record(), 1, stage.Keyframe)
			s.AwaitLine("msg=play", "channel="+protocol, " addr="+players[1]+":")
			n.CheckUnharmed()
		})
	}
}

// While the first server is away, the second one has everybody, and nobody is left
// behind there when the first is back: who publishes and who watches have to meet.
func TestHAProxyKeepsEverybodyOnOneServer(t *testing.T) {
	t.Parallel()
	one, oneAdmin := startBehind(t, "LOG_DEBUG=YES")
	two, twoAdmin := startBehind(t, "LOG_DEBUG=YES")
	started := len(two.Log.All())
	addr, _ := stage.FreeAddr(t, "127.0.0.1")
	startHAProxy(t, documentedBalancer(t, addr, balanced{one.Addr, oneAdmin}, balanced{two.Addr, twoAdmin}), addr)
	publish := func(s *stage.Server, nth int) *stage.Journal[rtmp.Message] {
		t.Helper()
		for overdue := time.Now().Add(stage.Soon); ; stage.Pause(t.Context(), 100*time.Millisecond) {
			c, err := stage.TryPublish(t, "127.0.0.2", addr, "channel/key")
			if err == nil {
				s.AwaitLines(nth, stage.Soon, "msg=publish", " addr=127.0.0.2:")
				return c.Record()
			}
			if time.Now().After(overdue) {
				t.Fatal(err)
			}
		}
	}
	stays := func(where string, session *stage.Journal[rtmp.Message]) {
		t.Helper()
		if !session.AwaitEnd(2 * stage.Soon) {
			t.Fatalf("the publisher stays on %s", where)
		}
	}
	first := publish(one, 1)
	one.Signal(syscall.SIGSTOP) // as a machine without power: it closes nothing
	defer one.Signal(syscall.SIGCONT)
	stays("a server that is away", first)
	second := publish(two, 1)
	one.Signal(syscall.SIGCONT)
	stays("the server that stands by", second)
	publish(one, 2)
	for _, line := range two.Log.All()[started:] {
		if !strings.Contains(line, " addr=127.0.0.2:") {
			t.Errorf("logged while nobody but the balancer's checks came: %s", line)
		}
	}
}

// Without /readyz, a check that only connects is in no log either.
func TestChecksOfHAProxyThatOnlyConnectAreNotLogged(t *testing.T) {
	t.Parallel()
	s, admin := startBehind(t)
	before := len(s.Log.All())
	server := balanced{s.Addr, admin}
	addr, _ := stage.FreeAddr(t, "127.0.0.1")
	config := documentedBalancer(t, addr, server, server)
	config = strings.ReplaceAll(config, "    option httpchk GET /readyz\n", "")
	startHAProxy(t, strings.ReplaceAll(config, " port "+admin, ""), addr)
	count := regexp.MustCompile(`(?m)^rtmp_refusals_total\{reason="closed before the handshake"\} (\d+)$`)
	for overdue := time.Now().Add(2 * stage.Soon); ; stage.Pause(t.Context(), 50*time.Millisecond) {
		var checks int
		if match := count.FindStringSubmatch(fetch(t, "http://127.0.0.1:"+admin+"/metrics")); match != nil {
			checks, _ = strconv.Atoi(match[1])
		}
		if checks > 10 {
			break
		}
		if time.Now().After(overdue) {
			t.Fatalf("there were %d checks", checks)
		}
	}
	s.Stop()
	for _, line := range s.Log.All()[before:] {
		if !strings.Contains(line, "msg=stop") {
			t.Errorf("logged: %s", line)
		}
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: stage.Soon, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
