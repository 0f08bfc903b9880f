package soak

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// administration is asked on connections of its own, which the server's descriptors
// are counted without.
var administration = http.Client{Timeout: 4 * stage.Soon, Transport: &http.Transport{DisableKeepAlives: true}}

// page returns a page for operators.
func (s *soak) page(path string) (string, error) {
	answer, err := administration.Get(strings.TrimSuffix(s.admin, "/") + path)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", path, answer.Status)
	}
	return string(text), err
}

// series are the metrics at one moment, by name and labels.
type series map[string]float64

func (s *soak) metrics() (series, error) {
	text, err := s.page("/metrics")
	if err != nil {
		return nil, err
	}
	all := make(series)
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		end := strings.LastIndexByte(line, ' ')
		if end < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		all[line[:end]] = value
	}
	return all, nil
}

// sum adds up the series of a metric that have all these labels, written as
// name="value".
func (m series) sum(name string, labels ...string) (sum float64) {
	for line, value := range m {
		if of, _, _ := strings.Cut(line, "{"); of == name && stage.Holds(line, labels) {
			sum += value
		}
	}
	return sum
}

// vitals are what a server takes of its machine. The heap is looked at after a
// garbage collection.
type vitals struct{ heap, resident, files, goroutines float64 }

var heapInUse = regexp.MustCompile(`# HeapAlloc = (\d+)`)

// heap has the server collect its garbage, and returns what is left in MiB.
func (s *soak) heap() (float64, error) {
	text, err := s.page("/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	match := heapInUse.FindStringSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("the heap is not told")
	}
	bytes, err := strconv.ParseFloat(match[1], 64)
	return bytes / (1 << 20), err
}

// files is the number of open descriptors.
func (s *soak) files() (float64, error) {
	names, err := os.ReadDir(s.proc("fd"))
	return float64(len(names)), err
}

// resident is the memory of the process in MiB.
func (s *soak) resident() (float64, error) {
	text, err := os.ReadFile(s.proc("statm"))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	return pages * float64(os.Getpagesize()) / (1 << 20), err
}

func (s *soak) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(s.server.Cmd.Process.Pid), name)
}

func (s *soak) vitals() (v vitals) {
	s.Helper()
	m, err := s.metrics()
	if err == nil {
		v.goroutines = m.sum("go_goroutines")
		v.heap, err = s.heap()
	}
	if err == nil {
		v.resident, err = s.resident()
	}
	if err == nil {
		v.files, err = s.files()
	}
	if err != nil {
		s.Error(err)
	}
	return v
}

// samples are taken while visitors come and go.
type samples struct {
	soak                              *soak
	heap, resident, files, goroutines *measure
	connections                       *measure // for the record
	stop                              chan struct{}
	done                              chan struct{}
}

const (
	// sampled is about how many samples there are at most, as the slope takes the
	// square of it.
	sampled = 1000
	// heapEvery is how many samples there are for one of the heap, since a garbage
	// collection is work.
	heapEvery = 10
)

func startSamples(s *soak) *samples {
	all := &samples{
		soak:        s,
		heap:        &measure{name: "heap after a collection", unit: " MiB", floor: 1},
		resident:    &measure{name: "resident memory", unit: " MiB", floor: 8},
		files:       &measure{name: "descriptors", floor: 5},
		goroutines:  &measure{name: "goroutines", floor: 5},
		connections: &measure{name: "connections"},
		stop:        make(chan struct{}), done: make(chan struct{}),
	}
	go all.run()
	return all
}

func (a *samples) judged() []*measure {
	return []*measure{a.heap, a.resident, a.files, a.goroutines}
}

func (a *samples) run() {
	defer close(a.done)
	beat := time.NewTicker(max(time.Second, *lasting/sampled))
	defer beat.Stop()
	began := time.Now()
	for n := 0; ; n++ {
		if err := a.take(n, began); err != nil {
			a.soak.Errorf("sample %d: %v", n, err)
		}
		select {
		case <-beat.C:
		case <-a.stop:
			return
		}
	}
}

func (a *samples) take(n int, began time.Time) error {
	add := func(m *measure, value float64, err error) error {
		if err == nil {
			m.points = append(m.points, point{time.Since(began).Seconds(), value})
		}
		return err
	}
	m, err := a.soak.metrics()
	if err != nil {
		return err
	}
	_ = add(a.goroutines, m.sum("go_goroutines"), nil)
	_ = add(a.connections, m.sum("rtmp_connections"), nil)
	files, err := a.soak.files()
	if err := add(a.files, files, err); err != nil {
		return err
	}
	resident, err := a.soak.resident()
	if err := add(a.resident, resident, err); err != nil || n%heapEvery > 0 {
		return err
	}
	heap, err := a.soak.heap()
	return add(a.heap, heap, err)
}

// finish takes no more samples.
func (a *samples) finish() {
	close(a.stop)
	<-a.done
}
