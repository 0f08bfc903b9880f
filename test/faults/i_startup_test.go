package faults

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// A server that cannot have all of its ports has none, says why in one line, and
// leaves the server alone that has them.
func TestPortsThatCannotBeOpenedStartNothing(t *testing.T) {
	t.Parallel()
	f := begin(t, "I9", "ADMIN_ADDRESS=127.0.0.1:0")
	_, plain, _ := net.SplitHostPort(f.server.Addr)
	_, secure, _ := net.SplitHostPort(f.server.SecureAddr())
	admin := strings.TrimPrefix(f.administration(), "http://")
	const inUse = "address already in use"
	// What comes later in a list takes the place of what was before.
	usual := append([]string{"BIND_ADDRESS=127.0.0.1", "RTMP_PORT=0", "ADMIN_ADDRESS=NO"}, f.pair.Settings()...)
	tests := map[string]struct {
		settings []string
		says     []string
	}{
		"RTMP":                 {[]string{"RTMP_PORT=" + plain}, []string{plain, inUse}},
		"RTMPS":                {[]string{"SSL_PORT=" + secure}, []string{secure, inUse}},
		"administration":       {[]string{"ADMIN_ADDRESS=" + admin}, []string{admin, inUse}},
		"both the same":        {[]string{"RTMP_PORT=" + plain, "SSL_PORT=" + plain}, []string{"SSL_PORT", "RTMP_PORT"}},
		"another's address":    {[]string{"BIND_ADDRESS=203.0.113.1"}, []string{"203.0.113.1", "cannot assign requested address"}},
		"another's IPv6":       {[]string{"BIND_ADDRESS=2001:db8::1"}, []string{"2001:db8::1"}},
		"no such host":         {[]string{"BIND_ADDRESS=host.invalid"}, []string{"host.invalid"}},
		"all, one of them had": {[]string{"BIND_ADDRESS=", "RTMP_PORT=" + plain}, []string{plain, inUse}},
		"no certificate":       {[]string{"SSL_CERT=/dev/null"}, []string{"/dev/null"}},
		"no directory":         {[]string{"CALLBACK_URL=http://127.0.0.1:1", "JWT_SECRET=" + stage.CallbackSecret, "STATE_DIR=/proc/none"}, []string{"/proc/none"}},
	}
	for name, tt := range tests {
		status, stdout, stderr := stage.Run(t, slices.Concat(usual, tt.settings))
		complaints := strings.Split(strings.TrimSpace(stdout+stderr), "\n")
		complaints = slices.DeleteFunc(complaints, func(line string) bool {
			return strings.Contains(line, "level=INFO") || strings.Contains(line, "level=WARN")
		})
		if status == 0 || len(complaints) != 1 && status == 1 || !stage.Holds(strings.Join(complaints, "\n"), tt.says) {
			f.Errorf("%s: status %d and %q, want %q", name, status, complaints, tt.says)
		}
		if strings.Contains(stdout, "msg=listening") || strings.Contains(stdout+stderr, "goroutine ") {
			f.Errorf("%s: half of it started:\n%s%s", name, stdout, stderr)
		}
	}
	f.privileged()
	f.figure("ways", len(tests)+1)
	f.joinsAtOnce()
}

// A port below 1024 is not for a process without the right to it.
func (f *fault) privileged() {
	f.Helper()
	p := stage.StartProgram(f.T, "setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service",
		"env", "-i", "BIND_ADDRESS=127.0.0.1", "RTMP_PORT=81", "ADMIN_ADDRESS=NO", stage.Binary)
	if err := p.Wait(stage.Soon); err == nil || !stage.Holds(p.Output.String(), []string{"127.0.0.1:81", "permission denied"}) {
		f.Errorf("a privileged port: %v\n%s", err, p.Output.String())
	}
}

// A server of IPv6 alone serves nobody else.
func TestAServerOfIPv6Alone(t *testing.T) {
	t.Parallel()
	s := stage.Start(t, "BIND_ADDRESS="+stage.Loopback6)
	_, port, _ := net.SplitHostPort(s.Addr)
	if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
		_ = conn.Close()
		t.Error("it serves IPv4 too")
	}
	c, err := stage.TryPublish(t, "", net.JoinHostPort(stage.Loopback6, port), "channel/key")
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Conn.Close()
}
