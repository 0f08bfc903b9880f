package soak

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// book is what this side knows of who came.
type book struct {
	connections         [2]atomic.Int64 // by RTMP and by RTMPS
	publications, views attempts

	mu       sync.Mutex
	outcomes map[string]map[string]int // of visitors, by kind
	events   map[string]int            // of the weather
}

// attempts at something: the server has seen at least those that were done, and at
// most those that were tried.
type attempts struct{ tried, done atomic.Int64 }

func (b *book) opened(secure bool) {
	if secure {
		b.connections[1].Add(1)
		return
	}
	b.connections[0].Add(1)
}

func (b *book) visited(kind, outcome string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.outcomes == nil {
		b.outcomes = make(map[string]map[string]int)
	}
	if b.outcomes[kind] == nil {
		b.outcomes[kind] = make(map[string]int)
	}
	b.outcomes[kind][outcome]++
}

func (b *book) happened(event string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.events == nil {
		b.events = make(map[string]int)
	}
	b.events[event]++
}

// came counts visitors, of one kind or of all, with one outcome or any.
func (b *book) came(kind, outcome string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for of, outcomes := range b.outcomes {
		for what, count := range outcomes {
			if (kind == "" || kind == of) && (outcome == "" || outcome == what) {
				n += count
			}
		}
	}
	return n
}

const (
	// settling is how long the server may take to be empty when all have left: the
	// callback may hang on the last stops, and is told again after growing pauses.
	settling = 90 * time.Second
	// leftFiles and leftGoroutines are how many more an empty server may have than a
	// new one, for connections to the callback and to Redis.
	leftFiles, leftGoroutines = 5, 5
)

// settle waits for the server to be empty, and wants it to have let go of all.
func (s *soak) settle() {
	s.Helper()
	var wrong []string
	for deadline := time.Now().Add(settling); time.Now().Before(deadline); stage.Pause(s.Context(), 200*time.Millisecond) {
		if wrong = s.unsettled(); len(wrong) == 0 {
			return
		}
	}
	s.Errorf("%v after everybody has left: %v", settling, wrong)
}

// unsettled names what is not as it was before anybody came.
func (s *soak) unsettled() (wrong []string) {
	m, err := s.metrics()
	if err != nil {
		return []string{err.Error()}
	}
	for _, name := range []string{"rtmp_connections", "rtmp_sessions", "rtmp_channels", "rtmp_callback_stops_pending"} {
		if n := m.sum(name); n != 0 {
			wrong = append(wrong, fmt.Sprintf("%s %v", name, n))
		}
	}
	if n := m.sum("rtmp_budget_used", `budget="connections"`); n != 0 {
		wrong = append(wrong, fmt.Sprintf("%v connections are counted", n))
	}
	for i, protocol := range []string{"rtmp", "rtmps"} {
		opened, accepted := s.book.connections[i].Load(), m.sum("rtmp_connections_accepted_total", fmt.Sprintf("protocol=%q", protocol))
		if float64(opened) != accepted {
			wrong = append(wrong, fmt.Sprintf("%d connections were opened by %s and %v accepted", opened, protocol, accepted))
		}
	}
	now := s.vitals()
	if now.files > s.empty.files+leftFiles || now.goroutines > s.empty.goroutines+leftGoroutines {
		wrong = append(wrong, fmt.Sprintf("%v descriptors and %v goroutines, which were %v and %v",
			now.files, now.goroutines, s.empty.files, s.empty.goroutines))
	}
	return wrong
}

// audit wants the books of both sides to balance. It returns those of the server.
func (s *soak) audit() series {
	s.Helper()
	m, err := s.metrics()
	if err != nil {
		s.Fatal(err)
	}
	ends, refusals := m.sum("rtmp_session_ends_total"), m.sum("rtmp_refusals_total")
	if accepted := m.sum("rtmp_connections_accepted_total"); ends+refusals != accepted {
		s.Errorf("%v connections were accepted, but %v sessions and %v refusals have ended", accepted, ends, refusals)
	}
	for kind, known := range map[string]*attempts{"publisher": &s.book.publications, "player": &s.book.views} {
		ended := int64(m.sum("rtmp_session_ends_total", fmt.Sprintf("kind=%q", kind)))
		if ended < known.done.Load() || ended > known.tried.Load() {
			s.Errorf("%d sessions of kind %s have ended, of %d that began and %d that may have",
				ended, kind, known.done.Load(), known.tried.Load())
		}
	}
	for _, reason := range []string{"internal error", "server short of memory", "server full", "out of file descriptors", "other"} {
		label := fmt.Sprintf("reason=%q", reason)
		if n := m.sum("rtmp_session_ends_total", label) + m.sum("rtmp_refusals_total", label); n > 0 {
			s.Errorf("%v connections have ended with %q", n, reason)
		}
	}
	for _, k := range kinds {
		if s.book.came(k.name, "") == 0 && *lasting >= 20*time.Second {
			s.Errorf("no %s came", k.name)
		}
	}
	if n := s.book.came("", outcomeForgiven); n > 2+s.book.came("", "")/forgiven {
		s.Errorf("%d visitors failed on a busy machine", n)
	}
	if came, due := s.book.came("", ""), s.took.Seconds()*(*rate); float64(came) < math.Floor(due/2) {
		s.Errorf("%d visitors came of %.0f: this machine is too slow for the rate", came, due)
	}
	return m
}

// checkStops wants each start to have its stop, when the server has ended. On a busy
// machine the server may have given up before the answer came: nobody was let in then.
func (s *soak) checkStops() {
	s.Helper()
	starts, open, _, errs := s.backend.pairs()
	late := 0
	for _, start := range open {
		letIn := slices.ContainsFunc(s.server.Log.All(), func(line string) bool {
			return strings.Contains(line, "msg=publish ") && stage.Attr(line, "stream_id") == start.id
		})
		if !letIn && start.pressed {
			late++
			continue
		}
		s.Errorf("%s of %s on %s, after %v, has no stop:\n%s",
			start.id, start.ClientIP, start.Channel, start.at.Sub(s.began).Round(time.Second), s.known(start.ClientIP))
	}
	if late > 2+starts/forgivenStarts || starts == 0 {
		s.Errorf("%d of %d answers of the callback came too late", late, starts)
	}
	for _, err := range errs {
		s.Errorf("the callback: %v", err)
	}
}
