package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestKeysAreMasked(t *testing.T) {
	for key, want := range map[Key]string{
		"": "", "a": "…", "elevenchars": "…", "twelve-chars": "tw…rs", secret: "aV…ed",
	} {
		text, err := json.Marshal(struct{ Key Key }{key})
		if got := fmt.Sprintf("%v", key); got != want || err != nil || string(text) != `{"Key":"`+want+`"}` {
			t.Errorf("%d characters: %s, %s, %v", len(key), got, text, err)
		}
	}
}

func TestTheNewestEndsAreKept(t *testing.T) {
	var e ends
	if got := e.newest(5); len(got) != 0 {
		t.Errorf("%d ends of nothing", len(got))
	}
	for n := range 2*keptEnds + 7 {
		e.add(End{Session: Session{ID: fmt.Sprint(n)}})
		newest := e.newest(3)
		for i, end := range newest {
			if end.ID != fmt.Sprint(n-i) {
				t.Fatalf("after %d, the newest but %d is %s", n, i, end.ID)
			}
		}
	}
	if got := e.newest(2 * keptEnds); len(got) != keptEnds || got[keptEnds-1].ID != fmt.Sprint(keptEnds+7) {
		t.Errorf("%d are kept", len(got))
	}
}

func TestLists(t *testing.T) {
	f := run(t, Options{})
	for id := range 3 {
		f.Ended(testEnd(fmt.Sprint(id)))
	}
	for path, want := range map[string][]string{
		"/api/v1/channels":                         {"live", "waiting"},
		"/api/v1/channels?limit=1":                 {"live"},
		"/api/v1/sessions":                         {"1", "2", "3"},
		"/api/v1/sessions?channel=live":            {"1", "2"},
		"/api/v1/sessions?channel=live&limit=1":    {"1"},
		"/api/v1/sessions?channel=":                nil,
		"/api/v1/ends":                             {"2", "1", "0"},
		"/api/v1/ends?limit=2":                     {"2", "1"},
		"/api/v1/settings":                         {""},
		"/api/v1/sessions?channel=<script>&limit=": nil,
	} {
		_, body := f.want(http.StatusOK, "GET", path, "")
		var lists map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &lists); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		delete(lists, "total")
		for _, list := range lists {
			var items []struct{ ID, Name string }
			if err := json.Unmarshal(list, &items); err != nil || items == nil {
				t.Fatalf("%s: %s, %v", path, list, err)
			}
			var got []string
			for _, item := range items {
				if strings.Contains(path, "channels?") || strings.HasSuffix(path, "channels") {
					got = append(got, item.Name)
				} else {
					got = append(got, item.ID)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
	}
	for _, path := range []string{"channels?limit=0", "channels?limit=10001", "sessions?limit=x", "ends?limit=501", "ends?limit=-1"} {
		f.want(http.StatusBadRequest, "GET", "/api/v1/"+path, "")
	}
}

// What a client says of itself cannot become a part of the page.
func TestTextOfClientsIsEscaped(t *testing.T) {
	f := run(t, Options{})
	for _, path := range []string{"sessions", "sessions/1", "channels", "channels/live"} {
		answer, body := f.want(http.StatusOK, "GET", "/api/v1/"+path, "")
		if strings.ContainsAny(body, "<>\n") || answer.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s is %s of %s", path, answer.Header.Get("Content-Type"), body)
		}
	}
}

func TestOrdersReachTheServerAndTheLog(t *testing.T) {
	f := run(t, Options{})
	f.want(http.StatusNoContent, "DELETE", "/api/v1/sessions/1", "")
	f.want(http.StatusOK, "DELETE", "/api/v1/channels/live", "")
	const kind = "Content-Type: application/json; charset=utf-8"
	f.want(http.StatusOK, "POST", "/api/v1/channels/live/reconnect", `{"url": "rtmp://h/app"}`, kind)
	f.want(http.StatusOK, "POST", "/api/v1/channels/live/reconnect", `{}`, kind)
	if want := []string{"1", "live", "live rtmp://h/app", "live "}; !slices.Equal(f.source.did(), want) {
		t.Errorf("what was done is %q", f.source.did())
	}
	for _, want := range []string{"ends a session", "closes a channel", "to reconnect", "operator=127.0.0.1:"} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, f.log)
		}
	}
}

func TestReconnectTakesUsableURLsOnly(t *testing.T) {
	f := run(t, Options{})
	const kind = "Content-Type: application/json"
	const path = "/api/v1/channels/live/reconnect"
	for _, body := range []string{
		``, `x`, `[]`, `{"url": 5}`, `{"URI": ""}`, `{"url": ""} {}`, `{"url": "http://h"}`, `{"url": "rtmp://"}`, `{"url": "rtmp://u:p@h"}`,
		`{"url": "rtmp://h:0"}`, `{"url": "rtmp://h:65536"}`, `{"url": "rtmp://h/ "}`, `{"url": "rtmp://h/\u0000"}`, `{"url": "rtmp://h/%zz"}`,
		`{"url": "rtmp://` + strings.Repeat("h", maxURL) + `"}`,
	} {
		f.want(http.StatusBadRequest, "POST", path, body, kind)
	}
	for _, kind := range []string{"Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded", "X: y"} {
		f.want(http.StatusUnsupportedMediaType, "POST", path, `{}`, kind)
	}
	if did := f.source.did(); len(did) > 0 {
		t.Errorf("it did %q", did)
	}
}

func TestWrongMethodsAndPathsAreNamed(t *testing.T) {
	f := run(t, Options{})
	answer, _ := f.want(http.StatusMethodNotAllowed, "POST", "/api/v1/channels/live", "")
	if got := answer.Header.Get("Allow"); got != "DELETE, GET, HEAD" {
		t.Errorf("allowed is %s", got)
	}
	f.want(http.StatusMethodNotAllowed, "OPTIONS", "/api/v1/status", "", "Access-Control-Request-Method: GET")
	f.want(http.StatusMethodNotAllowed, "TRACE", "/api/v1/status", "")
	f.want(http.StatusNotFound, "GET", "/api/v1/nothing", "")
	f.want(http.StatusNotFound, "GET", "/metrics", "")
	f.want(http.StatusNotFound, "GET", "/", "")
	f.want(http.StatusOK, "HEAD", "/api/v1/status", "")
}

func TestMetricsAndProfilesAreServed(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "metrics") })
	f := run(t, Options{Metrics: metrics, Token: testToken})
	f.want(http.StatusUnauthorized, "GET", "/metrics", "")
	if _, body := f.want(http.StatusOK, "GET", "/metrics", "", bearer()); body != "metrics" {
		t.Errorf("the metrics are %q", body)
	}
	for _, path := range []string{"/", "/goroutine?debug=1", "/cmdline", "/symbol", "/trace?seconds=0.01"} {
		f.want(http.StatusOK, "GET", "/debug/pprof"+path, "", bearer())
	}
}
