package bench

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	want := settings{options: Defaults(), json: true, quiet: true}
	o := &want.options
	o.URL = "rtmps://h/a/b"
	o.Publishers, o.Players, o.Watchers, o.Stalled = 0, 7, 2, 3
	o.Bitrate, o.FPS, o.GOP = 800_000, 25, time.Second
	o.Duration, o.Ramp, o.Settle, o.Tick = 5*time.Second, 50, time.Second, 20*time.Millisecond
	o.PIDs, o.Insecure = []int{123, 456}, true
	got, err := parse(strings.Fields("-publishers 0 --players 7 -watchers=2 -stalled 3 -bitrate 800k -fps 25 -gop 1s -duration 5s "+
		"-ramp 50 -settle 1s -tick 20ms -pid 123,456 -insecure -json -quiet rtmps://h/a/b"), &bytes.Buffer{})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for text, want := range map[string]int{"2.5M": 2_500_000, "64000": 64_000, "1k": 1000} {
		var b bitrate
		if err := b.Set(text); err != nil || int(b) != want {
			t.Errorf("%s: %d, %v", text, b, err)
		}
	}
	for b, want := range map[bitrate]string{2_500_000: "2.5M", 64_000: "64k", 12: "12"} {
		if got := b.String(); got != want {
			t.Errorf("%d is shown as %s", b, got)
		}
	}
}

func TestMistakesInTheArguments(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-nonsense":                       "-nonsense",
		"-bitrate fast":                   "bitrate",
		"-bitrate -1":                     "bitrate",
		"-bitrate NaN":                    "bitrate",
		"-bitrate 10k":                    "too low",
		"-pid 1,x":                        "process ids",
		"-pid 0":                          "process ids",
		"rtmp://a/b/c rtmp://a/b/c":       "one URL",
		"-players -1":                     "-players is -1",
		"-ramp 0 -fps 0":                  "-fps is 0",
		"-tick 0":                         "-tick is 0s",
		"-players 0 -publishers 0":        "neither",
		"-players 65536":                  "local ports",
		"-publishers 2 rtmp://a/b/c":      "{n}",
		"ftp://a/b/c":                     "rtmp://",
		"rtmp://a/b":                      "rtmp://",
		"rtmp://a/b/":                     "rtmp://",
		"rtmp:///b/c":                     "rtmp://",
		"rtmp://%zz/b/c":                  "rtmp://",
		"-duration 1ms -gop -1s rtmp://a": "-duration is 1ms",
	} {
		var stdout, stderr bytes.Buffer
		status := Main(t.Context(), strings.Fields(args), &stdout, &stderr)
		if status != exitUsage || !strings.Contains(stderr.String(), want) || stdout.Len() != 0 {
			t.Errorf("%s: status %d, %q, want %q", args, status, stderr.String(), want)
		}
	}
}

func TestHelpIsNoMistake(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if status := Main(t.Context(), []string{"-h"}, &stdout, &stderr); status != exitMeasured || !strings.Contains(stderr.String(), "-players") {
		t.Errorf("status %d\n%s", status, stderr.String())
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]target{
		"rtmp://h/bench{n}/key":    {host: "h", addr: "h:1935", app: "bench1", name: "key", tcURL: "rtmp://h/bench1"},
		"rtmps://h/a/b/c{n}":       {secure: true, host: "h", addr: "h:443", app: "a/b", name: "c1", tcURL: "rtmps://h/a/b"},
		"rtmp://[::1]:7/a/{n}?x=/": {host: "::1", addr: "[::1]:7", app: "a", name: "1?x=/", tcURL: "rtmp://[::1]:7/a"},
	} {
		got, err := targetsOf(raw, 2)
		if err != nil || got[1] != want {
			t.Errorf("%s: %+v, %v, want %+v", raw, got, err, want)
		}
	}
}

func TestReportIsWrittenForPeopleAndForScripts(t *testing.T) {
	t.Parallel()
	addr := startServer(t, nil, "*")
	args := []string{"-players", "3", "-watchers", "1", "-duration", "300ms", "-settle", "0s", "-quiet", "-pid", strconv.Itoa(os.Getpid()), "rtmp://" + addr + "/bench{n}/key"}
	var stdout, stderr bytes.Buffer
	if status := Main(t.Context(), args, &stdout, &stderr); status != exitMeasured {
		t.Fatalf("status %d: %s", status, stderr.String())
	}
	for _, want := range []string{"joined", "delivered", "latency of watchers", "median lag", "server CPU per GB", "server memory per player", "generator"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, stdout.String())
		}
	}
	stdout.Reset()
	if status := Main(t.Context(), append([]string{"-json"}, args...), &stdout, &stderr); status != exitMeasured {
		t.Fatalf("status %d: %s", status, stderr.String())
	}
	var report Report
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil || report.Joined != 3 || report.Server == nil {
		t.Errorf("%v in %s", err, stdout.String())
	}
	if stderr.Len() != 0 {
		t.Errorf("quiet, yet: %s", stderr.String())
	}
}

func TestFailureHasItsStatus(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	var stdout, stderr bytes.Buffer
	if status := Main(t.Context(), []string{"-json", "rtmp://" + l.Addr().String() + "/a/b"}, &stdout, &stderr); status != exitFailed {
		t.Errorf("status %d", status)
	}
	if stdout.Len() != 0 || !strings.Contains(stderr.String(), "connection refused") {
		t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
	}
}
