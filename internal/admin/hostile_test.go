package admin

import (
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// hostile are requests that nobody who administers the server makes: all of them
// have the token, if it is not that which is wrong with them.
func hostile(host string) []hostileRequest {
	_, port, _ := net.SplitHostPort(host)
	const kick, state = "DELETE /api/v1/sessions/1", "GET /api/v1/channels"
	const closing, reconnect = "DELETE /api/v1/channels/live", "POST /api/v1/channels/live/reconnect"
	login := "Cookie: " + cookieName + "="
	requests := []hostileRequest{
		// Without the token, or with what might be taken for it.
		{"no token", kick, nil},
		{"no token, to read", state, nil},
		{"no token, metrics", "GET /metrics", nil},
		{"no token, profiles", "GET /debug/pprof/heap", nil},
		{"no token, command line", "GET /debug/pprof/cmdline", nil},
		{"no token, settings", "GET /api/v1/settings", nil},
		{"no token, events", "GET /api/v1/events", nil},
		{"no token, preview", "GET /preview/live?ticket=x", nil},
		{"no token, description", "GET /api/v1/openapi.json", nil},
		{"empty token", kick, []string{"Authorization: Bearer "}},
		{"part of the token", kick, []string{"Authorization: Bearer " + testToken[:31]}},
		{"token and more", kick, []string{"Authorization: Bearer " + testToken + "x"}},
		{"token in another case", kick, []string{"Authorization: Bearer " + strings.ToUpper(testToken)}},
		{"token as basic", kick, []string{"Authorization: Basic " + testToken}},
		{"token without scheme", kick, []string{"Authorization: " + testToken}},
		{"two tokens", kick, []string{"Authorization: Bearer x", bearer()}},
		{"token in the query", kick + "?token=" + testToken, nil},
		{"token as access_token", kick + "?access_token=" + testToken, nil},
		{"token in another header", kick, []string{"X-Admin-Token: " + testToken}},
		{"token as cookie", kick, []string{login + testToken}},
		{"invented login", kick, []string{login + "AAAAAAAAAAAAAAAAAAAAAAAAAA"}},
		{"empty login", kick, []string{login}},
		{"forwarded from this machine", kick, []string{"X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1"}},
		{"another method by header", "POST /api/v1/sessions/1", []string{bearer(), "X-HTTP-Method-Override: DELETE"}},
		{"another method by query", "POST /api/v1/channels/live?_method=DELETE", []string{bearer()}},
	}
	sites := map[string][]string{
		"cross-site":            {"Sec-Fetch-Site: cross-site"},
		"same site, other port": {"Sec-Fetch-Site: same-site"},
		"unknown relation":      {"Sec-Fetch-Site: Same-Origin"},
		"origin elsewhere":      {"Origin: https://evil.example"},
		"origin null":           {"Origin: null"},
		"origin of other port":  {"Origin: http://127.0.0.1:1"},
		"origin without scheme": {"Origin: " + host},
		"origin and userinfo":   {"Origin: http://" + host + "@evil.example"},
		"navigation":            {"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"},
	}
	for name, headers := range sites {
		for _, what := range []string{kick, state, closing} {
			requests = append(requests, hostileRequest{name, what, append(headers, bearer())})
		}
	}
	for _, path := range []string{
		"/api/v1/sessions/%31", "/api%2fv1/sessions/1", "/api/v1/%2e%2e/v1/sessions/1", "/api/v1/../v1/sessions/1", "/./api/v1/sessions/1",
		"//api/v1/sessions/1", "/api//v1/sessions/1", "/API/V1/sessions/1", "/api/v1/sessions/1/", `/api/v1\sessions/1`, "/healthz/../api/v1/sessions/1",
		"/healthz%2f..%2fapi/v1/sessions/1", "/api/v1/sessions/1;x=y", "/login/../api/v1/sessions/1",
	} {
		requests = append(requests, hostileRequest{"path", "DELETE " + path, []string{bearer()}})
	}
	for _, name := range []string{
		"evil.example", "evil.example:" + port, "127.0.0.1.evil.example", "localhost.evil.example", "localhost.", "2130706433", "127.1",
		"admin.example.com.evil.example", "xadmin.example.com",
	} {
		requests = append(requests, hostileRequest{"rebinding", kick, []string{"Host: " + name, "login"}},
			hostileRequest{"rebinding", reconnect, []string{"Host: " + name, "login", "Content-Type: application/json"}})
	}
	return requests
}

type hostileRequest struct {
	name, what string
	headers    []string // "login" stands for a good cookie
}

func TestHostileRequestsAreRefused(t *testing.T) {
	f := run(t, Options{
		Token: testToken, Host: "admin.example.com", Metrics: http.NotFoundHandler(),
		Page: http.NotFoundHandler(), Preview: http.NotFoundHandler(),
	})
	pass, _ := f.door.logins.issue(struct{}{})
	requests := hostile(f.host)
	if len(requests) < 60 {
		t.Errorf("these are %d", len(requests))
	}
	for _, h := range requests {
		f.door.brake = newBrake() // it is not to be what refuses them
		method, path, _ := strings.Cut(h.what, " ")
		headers := make([]string, len(h.headers))
		for i, header := range h.headers {
			headers[i] = strings.Replace(header, "login", "Cookie: "+cookieName+"="+pass, 1)
		}
		answer, body := f.do(method, path, `{}`, headers...)
		if answer.StatusCode < 400 || answer.StatusCode >= 500 {
			t.Errorf("%s: %s %q: %s %.200s", h.name, h.what, h.headers, answer.Status, body)
		}
		for name, value := range protection {
			if answer.Header.Get(name) != value {
				t.Errorf("%s: %s is %q", h.name, name, answer.Header.Get(name))
			}
		}
		if got := answer.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: %s may read it", h.name, got)
		}
	}
	if did := f.source.did(); len(did) > 0 {
		t.Errorf("they had %q done", did)
	}
}

// The same requests without anything hostile about them pass.
func TestTheOperatorIsLetIn(t *testing.T) {
	f := run(t, Options{Token: testToken, Host: "Admin.example.com"})
	pass, _ := f.door.logins.issue(struct{}{})
	login := "Cookie: " + cookieName + "=" + pass
	_, port, _ := net.SplitHostPort(f.host)
	for _, headers := range [][]string{
		{bearer()},
		{"Authorization: bearer " + testToken},
		{bearer(), "Host: prometheus-knows-it-as"},
		{login},
		{login, "Sec-Fetch-Site: same-origin", "Origin: https://in-front.example"},
		{login, "Sec-Fetch-Site: none"},
		{login, "Origin: http://" + f.host},
		{login, "Host: admin.example.com"},
		{login, "Host: ADMIN.example.com:443"},
		{login, "Host: localhost:" + port},
		{login, "Host: [::1]:" + port},
		{login, "Host: [::1]"},
		{login, "Host: 192.0.2.7"},
	} {
		f.want(http.StatusNoContent, "DELETE", "/api/v1/sessions/1", "", headers...)
		answer, _ := f.want(http.StatusOK, "GET", "/api/v1/channels", "", headers...)
		for name, value := range protection {
			if answer.Header.Get(name) != value {
				t.Errorf("%q: %s is %q", headers, name, answer.Header.Get(name))
			}
		}
	}
}

func TestWithoutATokenThisMachineIsLetIn(t *testing.T) {
	f := run(t, Options{})
	f.want(http.StatusNoContent, "DELETE", "/api/v1/sessions/1", "")
	f.want(http.StatusSeeOther, "GET", "/login", "")
	f.want(http.StatusSeeOther, "POST", "/login", "")
	f.want(http.StatusForbidden, "DELETE", "/api/v1/sessions/1", "", "Host: evil.example")
	f.want(http.StatusForbidden, "DELETE", "/api/v1/sessions/1", "", "Sec-Fetch-Site: cross-site")
	f.want(http.StatusForbidden, "GET", "/api/v1/status", "", "Origin: https://evil.example")
}

// Balancers ask by any name, and have no token.
func TestHealthNeedsNothing(t *testing.T) {
	f := run(t, Options{Token: testToken})
	for _, path := range []string{"/healthz", "/readyz"} {
		f.want(http.StatusOK, "GET", path, "", "Host: balancer.example")
		f.want(http.StatusMethodNotAllowed, "POST", path, "")
	}
	f.Drain()
	f.want(http.StatusOK, "GET", "/healthz", "")
	f.want(http.StatusServiceUnavailable, "GET", "/readyz", "")
}

func TestALinkToThePageMayBeFollowed(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "page") })
	f := run(t, Options{Page: page})
	link := []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	f.want(http.StatusOK, "GET", "/", "", link...)
	f.want(http.StatusForbidden, "POST", "/", "", link...)
	f.want(http.StatusForbidden, "GET", "/", "", link[0], link[1], "Sec-Fetch-Dest: iframe")
	f.want(http.StatusForbidden, "GET", "/script.js", "", link[0], "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script")
}

// The server may be done with a request before all of it is sent: then there is no
// answer.
func TestRequestsThatAreTooLongAreCut(t *testing.T) {
	f := run(t, Options{})
	for want, r := range map[int]*http.Request{
		http.StatusRequestHeaderFieldsTooLarge: f.request("GET", "/healthz", "", "X: "+strings.Repeat("x", 20<<10)),
		http.StatusRequestEntityTooLarge: f.request("POST", "/api/v1/channels/live/reconnect",
			`{"url": "`+strings.Repeat("x", maxBody)+`"}`, "Content-Type: application/json"),
	} {
		answer, err := f.client.Do(r)
		if err != nil {
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s, want %d", answer.Status, want)
		}
	}
	if did := f.source.did(); len(did) > 0 {
		t.Errorf("they did %q", did)
	}
}

func TestRequestsThatTakeTooLongAreCut(t *testing.T) {
	t.Parallel()
	f := run(t, Options{})
	for name, begun := range map[string]string{"nothing": "", "part of a header": "GET / HTTP/1.1\r\nHost: localhost\r\nX: "} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", f.host)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err = conn.Write([]byte(begun)); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(4 * headerTimeout))
			for buffer := make([]byte, 1024); err == nil; {
				_, err = conn.Read(buffer)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("it was not cut")
			}
		})
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	f := run(t, Options{})
	var idle []net.Conn
	for range MaxConnections {
		conn, err := net.Dial("tcp", f.host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		idle = append(idle, conn)
	}
	if answer, err := f.client.Get("http://" + f.host + "/healthz"); err == nil {
		_ = answer.Body.Close()
		t.Error("there was room for one more")
	}
	_ = idle[0].Close()
	for range 100 { // until the server has noticed
		answer, err := f.client.Get("http://" + f.host + "/healthz")
		if err == nil {
			_ = answer.Body.Close()
			return
		}
	}
	t.Error("there is no room when one has left")
}
