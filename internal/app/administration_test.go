package app

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/version"
)

// get asks the administration of a server for a path.
func get(t *testing.T, client *http.Client, url string) (status int, body string) {
	t.Helper()
	answer, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// newClient returns one whose connections end with the test.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestAdministrationIsServedUntilTheEnd(t *testing.T) {
	r := start(t, map[string]string{"RTMP_PORT": "0", "BIND_ADDRESS": "127.0.0.1", "ADMIN_ADDRESS": "127.0.0.1:0"})
	client := newClient(t)
	for _, path := range []string{"healthz", "readyz"} {
		if status, body := get(t, client, r.admin+path); status != http.StatusOK || body != "ok\n" {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("Run returned %v", err)
	}
	if answer, err := client.Get(r.admin + "healthz"); err == nil {
		_ = answer.Body.Close()
		t.Error("it answers after the end")
	}
}

// takenAddress is one that nobody can open.
func takenAddress(t *testing.T) string {
	t.Helper()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	return taken.Addr().String()
}

func TestAdministrationOnAChosenAddressInUseIsAnError(t *testing.T) {
	s := settings(t, map[string]string{"RTMP_PORT": "0", "BIND_ADDRESS": "127.0.0.1", "ADMIN_ADDRESS": takenAddress(t)})
	if _, err := New(t.Context(), s, slog.New(slog.DiscardHandler), nil); err == nil || !strings.Contains(err.Error(), "administration") {
		t.Errorf("New returned %v", err)
	}
}

func TestServerDoesWithoutAdministrationIfTheDefaultAddressIsInUse(t *testing.T) {
	s := settings(t, map[string]string{"ADMIN_ADDRESS": takenAddress(t)})
	s.Admin.Chosen = false
	var lines bytes.Buffer
	listener, err := openAdministration(t.Context(), s.Admin, slog.New(slog.NewTextHandler(&lines, nil)))
	if listener != nil || err != nil {
		t.Errorf("%v, %v", listener, err)
	}
	if !strings.Contains(lines.String(), "level=WARN") || !strings.Contains(lines.String(), "ADMIN_ADDRESS") {
		t.Errorf("the log says %s", lines.String())
	}
}

func TestTheVersionIsTheSameEverywhere(t *testing.T) {
	r := start(t, map[string]string{"RTMP_PORT": "0", "BIND_ADDRESS": "127.0.0.1", "ADMIN_ADDRESS": "127.0.0.1:0"})
	client := newClient(t)
	for path, want := range map[string]string{
		"api/v1/status": `"version":"` + version.Short() + `"`,
		"metrics":       `version="` + version.Short() + `"} 1`,
	} {
		if _, body := get(t, client, r.admin+path); !strings.Contains(body, want) {
			t.Errorf("/%s lacks %s:\n%s", path, want, body)
		}
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

// What a name means is found out when it is resolved.
func TestAdministrationWithoutTokenIsOpenedOnLoopbackOnly(t *testing.T) {
	s := settings(t, map[string]string{"ADMIN_ADDRESS": "127.0.0.1:0"})
	s.Admin.Address = "0.0.0.0:0"
	listener, err := openAdministration(t.Context(), s.Admin, slog.New(slog.DiscardHandler))
	if listener != nil || err == nil {
		t.Errorf("%v, %v", listener, err)
	}
}

// What the page is served as, the policy of the administration lets run.
func TestThePageIsAtTheRoot(t *testing.T) {
	r := start(t, map[string]string{"RTMP_PORT": "0", "BIND_ADDRESS": "127.0.0.1", "ADMIN_ADDRESS": "127.0.0.1:0", "RTMP_HOST": "live.example.com"})
	client := newClient(t)
	for _, path := range []string{"", "js/main.js", "mpegts/mpegts.js"} {
		if status, body := get(t, client, r.admin+path); status != http.StatusOK || len(body) < 100 {
			t.Errorf("/%s: %d with %d bytes", path, status, len(body))
		}
	}
	_, port, _ := net.SplitHostPort(r.addr)
	want := `"endpoints":{"host":"live.example.com","rtmp_port":` + port + `,"rtmps_port":0,"http_port":0,"https_port":0}`
	if _, status := get(t, client, r.admin+"api/v1/status"); !strings.Contains(status, want) || !strings.Contains(status, `"preview":true`) {
		t.Errorf("the status is %s, without %s", status, want)
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("Run returned %v", err)
	}
}
