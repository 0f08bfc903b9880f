package e2e

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// Both events of a session carry exactly the claims that backends know, under a
// signature that another implementation verifies.
func TestEventsTellTheBackendWhoPublishesWhat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, from    string
		settings      []string
		subject, host string
	}{
		{name: "default", from: "127.0.0.7", subject: "rtmp_event"},
		{
			name: "custom", from: "127.0.0.8", subject: "my-subject", host: "live.example.org",
			settings: []string{"CUSTOM_JWT_SUBJECT=my-subject", "RTMP_HOST=live.example.org"},
		},
		{
			name: "IPv4 on a dual socket", from: "127.0.0.9", subject: "rtmp_event", host: "192.0.2.1",
			settings: []string{"BIND_ADDRESS=", "RTMP_HOST=192.0.2.1"},
		},
		{name: "IPv6", from: stage.Loopback6, subject: "rtmp_event", settings: []string{"BIND_ADDRESS="}},
	}
	ipv6 := hasIPv6(t)
	for _, tt := range tests {
		if tt.from == stage.Loopback6 && !ipv6 {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b *stage.Backend
			b = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) { b.Accept(w, e) })
			b.URL = strings.Replace(b.URL, "//", "//user:"+stage.CallbackPassword+"@", 1) + "?from=e2e"
			s := stage.StartCalled(t, b, tt.settings...)
			c, err := stage.TryPublish(t, tt.from, s.Reach(tt.from), "channel/"+stage.CallbackKey)
			if err != nil {
				t.Fatal(err)
			}
			id := b.Ledger.All()[0].ID
			line := s.AwaitLine("msg=publish", "channel=channel")
			if stage.Attr(line, "stream_id") != id || stage.Attr(line, "key") != stage.ShownKey+"***" {
				t.Errorf("the stream is %s, and the server says: %s", id, line)
			}
			_ = c.Conn.Close()
			all, _ := b.Events.Await(stage.Soon, func(e stage.Event) bool { return e.Event == "stop" })
			if len(all) != 2 {
				t.Fatalf("there were %d events, want 2", len(all))
			}
			_, port, _ := net.SplitHostPort(s.Addr)
			want := map[string]any{
				"sub": tt.subject, "event": "start", "channel": "channel", "key": stage.CallbackKey,
				"client_ip": netip.MustParseAddr(tt.from).String(), "rtmp_host": tt.host, "rtmp_port": json.Number(port),
			}
			checkEvent(t, all[0], want)
			want["event"], want["stream_id"] = "stop", id
			checkEvent(t, all[1], want)
			if all[0].Jti == all[1].Jti {
				t.Errorf("both tokens are %s", all[0].Jti)
			}
		})
	}
}

// checkEvent wants a request with the given claims, and those that differ each
// time.
func checkEvent(t *testing.T, e stage.Event, want map[string]any) {
	t.Helper()
	if e.Method != http.MethodPost || e.Target != "/events?from=e2e" || e.User != "user" || e.Password != stage.CallbackPassword {
		t.Errorf("got %s %s of user %q", e.Method, e.Target, e.User)
	}
	if want := map[string]any{"alg": "HS256", "typ": "JWT"}; !maps.Equal(e.Header, want) {
		t.Errorf("header %v, want %v", e.Header, want)
	}
	issued, expires := e.Seconds("iat"), e.Seconds("exp")
	if age := e.At.Unix() - issued; age < 0 || age > int64(stage.Soon/time.Second) || expires != issued+120 {
		t.Errorf("at %d came a token issued at %d that expires at %d", e.At.Unix(), issued, expires)
	}
	if len(e.Jti) < 16 {
		t.Errorf("jti %q is guessed easily", e.Jti)
	}
	names := slices.Sorted(maps.Keys(e.Claims))
	if all := slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(want)), "iat", "exp", "jti"))); !slices.Equal(names, all) {
		t.Errorf("claims %q, want %q", names, all)
	}
	for name, value := range want {
		if e.Claims[name] != value {
			t.Errorf("%s is %v, want %v", name, e.Claims[name], value)
		}
	}
}
