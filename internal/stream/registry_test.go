package stream

import (
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// session is a connection that remembers why it was ended.
type session struct {
	registry *Registry
	silent   time.Duration
	// able says that it can be asked to connect anew, and leaving that it was.
	able    bool
	leaving atomic.Bool

	mu    sync.Mutex
	kicks []Reason
	asked []string
}

func newSession(r *Registry) *session { return &session{registry: r} }

func (s *session) Kick(reason Reason) {
	s.registry.Len() // for ever, if the registry held its lock
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kicks = append(s.kicks, reason)
}

func (s *session) RequestReconnect(tcURL string) bool {
	s.registry.Len()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, tcURL)
	return s.able
}

func (s *session) Silent() time.Duration { return s.silent }

func (s *session) Leaving() bool { return s.leaving.Load() }

func (s *session) Wake(Pages) {}
func (s *session) Expect()    {}

// watches reports whether a session is among the viewers of a publication.
func (s *session) watches(p *Publication) bool {
	return slices.Contains(p.AppendViewers(nil), Viewer(s))
}

func (s *session) wantKicks(t *testing.T, name string, want ...Reason) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !reflect.DeepEqual(s.kicks, want) {
		t.Errorf("%s: kicked for %q, want %q", name, s.kicks, want)
	}
}

func newTestRegistry(takeover Takeover) *Registry {
	return NewRegistry(Options{ChunkSize: testChunkSize, CacheBytes: plenty, Takeover: takeover})
}

// publish claims channel "live" with key "key" and stream id "id", or what is
// given in place of them.
func publish(t *testing.T, r *Registry, s *session, instead Claim) *Publication {
	t.Helper()
	c := Claim{Channel: "live", Key: "key", StreamID: "id", Publisher: s}
	if instead.Key != "" {
		c.Key = instead.Key
	}
	if instead.StreamID != "" {
		c.StreamID = instead.StreamID
	}
	c.Address = instead.Address
	p, err := r.Publish(c)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return p
}

func subscribe(t *testing.T, r *Registry, s *session, key string) *Subscription {
	t.Helper()
	sub, err := r.Subscribe("live", key, s, s)
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	return sub
}

func wantChannels(t *testing.T, r *Registry, want int) {
	t.Helper()
	if got := r.Len(); got != want {
		t.Errorf("%d channels, want %d", got, want)
	}
}

func TestOfSimultaneousClaimsOneWins(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	for round := range 200 {
		var (
			running sync.WaitGroup
			start   = make(chan struct{})
			won     = make(chan *Publication, 50)
		)
		for range cap(won) {
			running.Go(func() {
				<-start
				switch p, err := r.Publish(Claim{Channel: "live", Publisher: newSession(r)}); {
				case err == nil:
					won <- p
				case !errors.Is(err, ErrBusy):
					t.Errorf("got %v, want ErrBusy", err)
				}
			})
		}
		close(start)
		running.Wait()
		if len(won) != 1 {
			t.Fatalf("round %d: %d winners", round, len(won))
		}
		(<-won).Close()
		wantChannels(t, r, 0)
	}
}

func TestTakeover(t *testing.T) {
	tests := []struct {
		name     string
		takeover Takeover
		silent   time.Duration
		leaving  string // the key with which the leaving one publishes
		taken    bool
	}{
		{"idle, sending", TakeoverIdle, 0, "", false},
		{"idle, silent for exactly the limit", TakeoverIdle, IdleAfter, "", false},
		{"idle, silent for longer", TakeoverIdle, IdleAfter + 1, "", true},
		{"idle, leaving", TakeoverIdle, 0, "key", true},
		{"idle, leaving with another key", TakeoverIdle, 0, "other", false},
		{"never", TakeoverNever, time.Hour, "", false},
		{"never, leaving", TakeoverNever, 0, "key", true},
		{"never, leaving with another key", TakeoverNever, time.Hour, "other", false},
		{"always", TakeoverAlways, 0, "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newTestRegistry(test.takeover)
			first, second := newSession(r), newSession(r)
			if withdraw, err := r.Apply("live", "key", first); err != nil {
				t.Errorf("free channel: %v", err)
			} else {
				withdraw()
			}
			first.silent = test.silent
			first.leaving.Store(test.leaving != "")
			old := publish(t, r, first, Claim{Key: test.leaving, Address: "first"})
			defer old.Close()
			var want error
			if !test.taken {
				want = ErrBusy
			}
			if withdraw, err := r.Apply("live", "key", second); !errors.Is(err, want) {
				t.Errorf("Apply: got %v, want %v", err, want)
			} else if err == nil {
				withdraw()
			}
			p, err := r.Publish(Claim{Channel: "live", Key: "key", Publisher: second, Address: "second"})
			if !errors.Is(err, want) {
				t.Errorf("Publish: got %v, want %v", err, want)
			}
			if old.Replaced() != "" {
				t.Errorf("the first replaced %s", old.Replaced())
			}
			if p != nil {
				defer p.Close()
				if p.Replaced() != "first" {
					t.Errorf("the second replaced %q", p.Replaced())
				}
				first.wantKicks(t, "replaced publisher", ReasonReplaced)
			} else {
				first.wantKicks(t, "present publisher")
			}
			second.wantKicks(t, "second publisher")
			wantChannels(t, r, 1)
		})
	}
}

func TestReplacedPublisherCannotTouchItsSuccessor(t *testing.T) {
	r := newTestRegistry(TakeoverAlways)
	first, second, viewer := newSession(r), newSession(r), newSession(r)
	old := publish(t, r, first, Claim{StreamID: "one"})
	sub := subscribe(t, r, viewer, "key")
	old.Append(message("a0@1"), 0)
	c := sub.Log().Cursor(AtGroup)
	old.Append(message("a0@2"), 0)

	next := publish(t, r, second, Claim{StreamID: "two"})
	if !viewer.watches(next) {
		t.Error("viewer is not the new publisher's")
	}
	old.Append(message("a0@3"), 0)
	if got := drain(c); got != "a0@1 a0@2 EOF" {
		t.Errorf("old log: got %s", got)
	}
	if sub.Log() != next.Log() {
		t.Error("viewer did not get the new log")
	}
	old.Close()
	first.wantKicks(t, "first publisher", ReasonReplaced)
	second.wantKicks(t, "second publisher")
	if sub.Log() != next.Log() {
		t.Error("channel is not live any more")
	}
	if r.CloseStream("live", "one") {
		t.Error("the stream that was replaced was found")
	}
	second.wantKicks(t, "second publisher")

	next.Append(message("a0@4"), 0)
	next.Close()
	next.Append(message("a0@5"), 0)
	if got := text(next.Log().tail.Load()); got != "a0@3" { // 1 ms behind the old log
		t.Errorf("the log ends with %s, want the message before Close", got)
	}
	sub.Close()
	wantChannels(t, r, 0)
}

func TestPublicationWakesPlayersWithItsKeyAndKicksOthers(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	friends, strangers := make([]*session, 5), make([]*session, 5)
	var friend, stranger []*Subscription
	for i := range friends {
		friends[i], strangers[i] = newSession(r), newSession(r)
		friend = append(friend, subscribe(t, r, friends[i], "key"))
		stranger = append(stranger, subscribe(t, r, strangers[i], []string{"", "kez", "ke", "keyy", "KEY"}[i]))
	}
	if got := friend[0].Log(); got != nil {
		t.Error("log before there is a publication")
	}
	wantChannels(t, r, 1)

	p := publish(t, r, newSession(r), Claim{})
	for i := range friends {
		friends[i].wantKicks(t, "friend")
		strangers[i].wantKicks(t, "stranger", ReasonWrongKey)
		if !friends[i].watches(p) || strangers[i].watches(p) {
			t.Error("viewers: want friends only")
		}
		if friend[i].Log() != p.Log() || stranger[i].Log() != nil {
			t.Error("log: want it for friends only")
		}
	}
	stranger[0].Close()
	p.Close()
	if friend[0].Log() != nil {
		t.Error("log after the publication")
	}
	for _, s := range append(friend, stranger...) {
		s.Close()
		s.Close()
	}
	wantChannels(t, r, 0)
}

func TestTakeoverWithAnotherKeyKicksViewers(t *testing.T) {
	r := newTestRegistry(TakeoverAlways)
	old := publish(t, r, newSession(r), Claim{})
	viewer := newSession(r)
	sub := subscribe(t, r, viewer, "key")
	next := publish(t, r, newSession(r), Claim{Key: "other"})
	viewer.wantKicks(t, "viewer", ReasonWrongKey)
	if sub.Log() != nil {
		t.Error("viewer got the log of another key")
	}
	old.Close()
	next.Close()
	sub.Close()
	wantChannels(t, r, 0)
}

func TestLiveChannelWantsItsKey(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	publisher, viewer := newSession(r), newSession(r)
	p := publish(t, r, publisher, Claim{})
	for _, key := range []string{"", "ke", "kez", "keyy"} {
		if s, err := r.Subscribe("live", key, viewer, viewer); !errors.Is(err, ErrWrongKey) || s != nil {
			t.Errorf("key %q: got %v, %v", key, s, err)
		}
	}
	sub := subscribe(t, r, viewer, "key")
	if sub.Log() != p.Log() {
		t.Error("no log with the right key")
	}
	viewer.wantKicks(t, "viewer")
	sub.Close()
	if sub.Log() != nil {
		t.Error("log after Close")
	}
	p.Close()
	wantChannels(t, r, 0)
}

func TestKillSession(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	publisher, viewer, other := newSession(r), newSession(r), newSession(r)
	if got := r.KillSession("live"); got != 0 {
		t.Errorf("killed %d sessions of no channel", got)
	}
	sub := subscribe(t, r, viewer, "key")
	if got := r.KillSession("live"); got != 1 {
		t.Errorf("killed %d sessions, want the one that waits", got)
	}
	p := publish(t, r, publisher, Claim{})
	elsewhere, err := r.Publish(Claim{Channel: "other", Publisher: other})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.KillSession("live"); got != 2 {
		t.Errorf("killed %d sessions, want 2", got)
	}
	publisher.wantKicks(t, "publisher", ReasonKilled)
	viewer.wantKicks(t, "viewer", ReasonKilled, ReasonKilled)
	other.wantKicks(t, "publisher of another channel")
	p.Close()
	sub.Close()
	elsewhere.Close()
	wantChannels(t, r, 0)
}

func TestCloseStream(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	publisher, viewer := newSession(r), newSession(r)
	p := publish(t, r, publisher, Claim{StreamID: "one"})
	sub := subscribe(t, r, viewer, "key")
	for _, wrong := range [][2]string{{"live", "two"}, {"live", ""}, {"other", "one"}} {
		if r.CloseStream(wrong[0], wrong[1]) {
			t.Errorf("%q was found", wrong)
		}
	}
	publisher.wantKicks(t, "publisher")
	if !r.CloseStream("live", "one") {
		t.Error("stream was not found")
	}
	publisher.wantKicks(t, "publisher", ReasonKilled)
	viewer.wantKicks(t, "viewer")
	p.Close()
	if r.CloseStream("live", "one") {
		t.Error("stream was found after its end")
	}
	sub.Close()
	wantChannels(t, r, 0)
}
