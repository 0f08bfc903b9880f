package hook

import (
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

func TestEventsCarryTheClaimsThatBackendsKnow(t *testing.T) {
	tests := []struct {
		name     string
		subject  string
		host     string
		request  access.Request
		clientIP string
	}{
		{"IPv4", "", "rtmp.example", wish, "192.0.2.7"},
		{"IPv6 and another subject", "streaming", "rtmp.example", access.Request{Channel: "A-z_0", Key: testKey, Client: netip.MustParseAddr("2001:db8::7")}, "2001:db8::7"},
		{"mapped IPv4 and no host", "", "", access.Request{Channel: "live", Key: testKey, Client: netip.MustParseAddr("::ffff:192.0.2.7")}, "192.0.2.7"},
		{"zone", "", "h", access.Request{Channel: "live", Key: testKey, Client: netip.MustParseAddr("fe80::1%eth0")}, "fe80::1"},
		{"no address", "", "h", access.Request{Channel: "live", Key: testKey}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(o *Options, _ *stub) { o.Subject, o.Host, o.Port = test.subject, test.host, 1936 })
				time.Sleep(1500 * time.Millisecond) // claims are whole seconds
				now := float64(time.Now().Unix())
				id, err := f.Start(t.Context(), test.request)
				if err != nil || id != "id-1" {
					t.Fatalf("Start = %q, %v", id, err)
				}
				f.Stop(test.request, id)
				synctest.Wait()
				want := map[string]any{
					"sub": "rtmp_event", "event": "start", "channel": test.request.Channel, "key": testKey, "client_ip": test.clientIP,
					"iat": now, "exp": now + 120, "rtmp_host": test.host, "rtmp_port": float64(1936),
				}
				if test.subject != "" {
					want["sub"] = test.subject
				}
				check := func(e event) {
					t.Helper()
					if jti, _ := e.claims["jti"].(string); len(jti) < 20 {
						t.Errorf("jti = %q", jti)
					}
					delete(e.claims, "jti")
					if !reflect.DeepEqual(e.claims, want) {
						t.Errorf("claims\n got %v\nwant %v", e.claims, want)
					}
				}
				check(f.stub.of("start")[0])
				want["event"], want["stream_id"] = "stop", "id-1"
				check(f.stub.of("stop")[0])
			})
		})
	}
}

func TestEachTokenHasAnIdentityOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed atomic.Bool
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
				if e.name == eventStop && failed.CompareAndSwap(false, true) {
					w.WriteHeader(http.StatusInternalServerError) // so that the stop is repeated
					return
				}
				s.accept(w, e)
			}
		})
		for range 20 {
			f.Stop(wish, f.mustStart())
		}
		f.stop()
		seen := make(map[any]bool)
		for _, e := range append(f.stub.of("start"), f.stub.of("stop")...) {
			seen[e.claims["jti"]] = true
		}
		if len(seen) != 41 {
			t.Errorf("%d identities, want 41", len(seen))
		}
	})
}

func TestEventsArePostsWithoutBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, r *http.Request, e event) {
				user, pass, _ := r.BasicAuth()
				seen = append(seen, fmt.Sprint(r.Method, " ", r.Host, r.URL, " ", r.Header["Content-Length"], r.TransferEncoding, " ", user, ":", pass))
				s.accept(w, e)
			}
		})
		f.Stop(wish, f.mustStart())
		f.stop()
		line := "POST backend.example/events?token=token-of-the-url [0] [] operator:pass-of-the-url"
		if want := []string{line, line}; !reflect.DeepEqual(seen, want) {
			t.Errorf("requests\n got %q\nwant %q", seen, want)
		}
	})
}
