package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// checkVersion asks a program of the release v1.2.3 wherever it tells its version:
// the linker does not say so if there is no such variable.
func checkVersion(t *testing.T, program string) {
	t.Helper()
	text, err := exec.Command(program, "--version").Output()
	if want := "rtmp-server v1.2.3 revision 0123abcd " + runtime.Version() + "\n"; err != nil || string(text) != want {
		t.Errorf("--version says %q, %v; want %q", text, err, want)
	}
	server, first, administration := serve(t, program)
	defer server()
	if !strings.Contains(first, "rtmp-server v1.2.3 revision 0123abcd ") {
		t.Errorf("the log begins with %s", first)
	}
	for path, want := range map[string]string{
		"api/v1/status": `"version":"v1.2.3"`, // which the page shows
		"metrics":       `rtmp_build_info{go="` + runtime.Version() + `",version="v1.2.3"} 1`,
	} {
		if text := fetch(t, administration+path); !strings.Contains(text, want) {
			t.Errorf("/%s lacks %s:\n%s", path, want, text)
		}
	}
}

var administering = regexp.MustCompile(`msg=administration url=(\S+)`)

// serve runs the program, and returns the first line of its log and where its
// administration is.
func serve(t *testing.T, program string) (stop func(), first, administration string) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	server := exec.CommandContext(ctx, program)
	server.Dir = t.TempDir()
	server.Env = []string{"BIND_ADDRESS=127.0.0.1", "RTMP_PORT=0", "ADMIN_ADDRESS=127.0.0.1:0"}
	log, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	stop = func() {
		end()
		_, _ = io.Copy(io.Discard, log)
		_ = server.Wait()
	}
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if first == "" {
			first = lines.Text()
		}
		if found := administering.FindStringSubmatch(lines.Text()); found != nil {
			return stop, first, found[1]
		}
	}
	stop()
	t.Fatalf("it has no administration, its log begins with %s", first)
	return nil, "", ""
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get(url)
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
