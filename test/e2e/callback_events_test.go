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
		{name: "IPv6", from: loopback6, subject: "rtmp_event", settings: []string{"BIND_ADDRESS="}},
	}
	ipv6 := hasIPv6(t)
	for _, tt := range tests {
		if tt.from == loopback6 && !ipv6 {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b *callbackBackend
			b = startBackend(t, "", func(w http.ResponseWriter, e callbackEvent) { b.accept(w, e) })
			b.url = strings.Replace(b.url, "//", "//user:"+callbackPassword+"@", 1) + "?from=e2e"
			s := startCallbackServer(t, b, tt.settings...)
			c, err := tryPublish(t, tt.from, s.reach(tt.from), "channel/"+callbackKey)
			if err != nil {
				t.Fatal(err)
			}
			id := b.ledger.all()[0].id
			line := s.awaitLine("msg=publish", "channel=channel")
			if attr(line, "stream_id") != id || attr(line, "key") != shownKey+"***" {
				t.Errorf("the stream is %s, and the server says: %s", id, line)
			}
			_ = c.conn.Close()
			all, _ := b.events.await(soon, func(e callbackEvent) bool { return e.event == "stop" })
			if len(all) != 2 {
				t.Fatalf("there were %d events, want 2", len(all))
			}
			_, port, _ := net.SplitHostPort(s.addr)
			want := map[string]any{
				"sub": tt.subject, "event": "start", "channel": "channel", "key": callbackKey,
				"client_ip": netip.MustParseAddr(tt.from).String(), "rtmp_host": tt.host, "rtmp_port": json.Number(port),
			}
			checkEvent(t, all[0], want)
			want["event"], want["stream_id"] = "stop", id
			checkEvent(t, all[1], want)
			if all[0].jti == all[1].jti {
				t.Errorf("both tokens are %s", all[0].jti)
			}
		})
	}
}

// checkEvent wants a request with the given claims, and those that differ each
// time.
func checkEvent(t *testing.T, e callbackEvent, want map[string]any) {
	t.Helper()
	if e.method != http.MethodPost || e.target != "/events?from=e2e" || e.user != "user" || e.password != callbackPassword {
		t.Errorf("got %s %s of user %q", e.method, e.target, e.user)
	}
	if want := map[string]any{"alg": "HS256", "typ": "JWT"}; !maps.Equal(e.header, want) {
		t.Errorf("header %v, want %v", e.header, want)
	}
	issued, expires := e.seconds("iat"), e.seconds("exp")
	if age := e.at.Unix() - issued; age < 0 || age > int64(soon/time.Second) || expires != issued+120 {
		t.Errorf("at %d came a token issued at %d that expires at %d", e.at.Unix(), issued, expires)
	}
	if len(e.jti) < 16 {
		t.Errorf("jti %q is guessed easily", e.jti)
	}
	names := slices.Sorted(maps.Keys(e.claims))
	if all := slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(want)), "iat", "exp", "jti"))); !slices.Equal(names, all) {
		t.Errorf("claims %q, want %q", names, all)
	}
	for name, value := range want {
		if e.claims[name] != value {
			t.Errorf("%s is %v, want %v", name, e.claims[name], value)
		}
	}
}
