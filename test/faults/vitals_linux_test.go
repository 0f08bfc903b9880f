package faults

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// vitals are what a server takes of its machine.
type vitals struct {
	goroutines, files int
	heap, resident    int64 // bytes; the heap after a garbage collection
}

// How much more a server may take some seconds after a fault than before it.
const (
	recovery       = 10 * time.Second
	moreGoroutines = 5
	moreFiles      = 5
	moreHeap       = 16 << 20
)

// vitals has the server collect its garbage first.
func (f *fault) vitals() vitals {
	f.Helper()
	return vitals{
		goroutines: int(f.number("/debug/pprof/goroutine?debug=1", `goroutine profile: total (\d+)`)),
		heap:       f.number("/debug/pprof/heap?gc=1&debug=1", `# HeapInuse = (\d+)`),
		files:      f.files(),
		resident:   f.resident(),
	}
}

// administration is the address of the server's pages for operators.
func (f *fault) administration() string {
	f.Helper()
	return strings.TrimSuffix(stage.Attr(f.server.AwaitLine("msg=administration"), "url"), "/")
}

// get returns a page for operators, by line.
func (f *fault) get(path string) []string {
	f.Helper()
	client := http.Client{Timeout: stage.Soon, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(_ context.Context, _, addr string) (net.Conn, error) { return f.connection("", addr) },
	}}
	request, err := http.NewRequestWithContext(f.bounded(), http.MethodGet, f.administration()+path, nil)
	if err != nil {
		f.Fatal(err)
	}
	if f.token != "" {
		request.Header.Set("Authorization", "Bearer "+f.token)
	}
	answer, err := client.Do(request)
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		f.Fatalf("%s answers %s", path, answer.Status)
	}
	var lines []string
	text := bufio.NewScanner(answer.Body)
	text.Buffer(nil, 1<<20)
	for text.Scan() {
		lines = append(lines, text.Text())
	}
	return lines
}

// number finds a number in a page for operators.
func (f *fault) number(path, pattern string) int64 {
	f.Helper()
	find := regexp.MustCompile(pattern)
	for _, line := range f.get(path) {
		if match := find.FindStringSubmatch(line); match != nil {
			n, err := strconv.ParseInt(match[1], 10, 64)
			if err != nil {
				f.Fatal(err)
			}
			return n
		}
	}
	f.Fatalf("%s does not tell %s", path, pattern)
	return 0
}

// metric adds up the series of a metric that have all these labels, written as
// name="value".
func (f *fault) metric(name string, labels ...string) float64 {
	f.Helper()
	sum := 0.0
	for _, line := range f.get("/metrics") {
		series, value, _ := strings.Cut(line, "} ")
		if !strings.Contains(line, "{") {
			series, value, _ = strings.Cut(line, " ")
		}
		of, _, _ := strings.Cut(series, "{")
		if of != name || !stage.Holds(series, labels) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			f.Fatalf("%v in %s", err, line)
		}
		sum += n
	}
	return sum
}

// ended returns how many sessions, and connections that came to none, have ended
// for a reason.
func (f *fault) ended(reason string) int {
	f.Helper()
	label := fmt.Sprintf("reason=%q", reason)
	return int(f.metric("rtmp_session_ends_total", label) + f.metric("rtmp_refusals_total", label))
}

func (f *fault) files() int {
	f.Helper()
	names, err := os.ReadDir(f.proc("fd"))
	if err != nil {
		f.Fatal(err)
	}
	return len(names)
}

// resident returns the memory of the process in bytes.
func (f *fault) resident() int64 {
	f.Helper()
	text, err := os.ReadFile(f.proc("statm"))
	if err != nil {
		f.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		f.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// processor returns the processor time that the server has taken.
func (f *fault) processor() time.Duration {
	f.Helper()
	text, err := os.ReadFile(f.proc("stat"))
	if err != nil {
		f.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] { // user and system time, in 1/100 s
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			f.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

func (f *fault) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(f.server.Cmd.Process.Pid), name)
}

// checkRecovered wants the server to take no more than before, in time. What the
// canary took is closed by then.
func (f *fault) checkRecovered() {
	f.Helper()
	for deadline := time.Now().Add(recovery); ; stage.Pause(f.bounded(), 100*time.Millisecond) {
		now := f.vitals()
		if now.goroutines <= f.before.goroutines+moreGoroutines && now.files <= f.before.files+moreFiles &&
			now.heap <= f.before.heap+moreHeap {
			f.figure("memory kept", megabytes(max(0, now.heap-f.before.heap)))
			return
		}
		if time.Now().After(deadline) {
			f.Errorf("%v after the fault the server takes %+v, before it was %+v", recovery, now, f.before)
			return
		}
	}
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
