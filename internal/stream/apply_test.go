package stream

import (
	"slices"
	"testing"
)

func TestKillSessionReachesWhoeverApplies(t *testing.T) {
	r := newTestRegistry(TakeoverIdle)
	one, two, other := newSession(r), newSession(r), newSession(r)
	withdrawOne, errOne := r.Apply("live", "key", one)
	withdrawTwo, errTwo := r.Apply("live", "key", two)
	withdrawOther, errOther := r.Apply("other", "key", other)
	if errOne != nil || errTwo != nil || errOther != nil {
		t.Fatalf("an application reserved the channel: %v, %v, %v", errOne, errTwo, errOther)
	}
	withdrawOne()
	if n := r.KillSession("live"); n != 1 {
		t.Errorf("%d sessions killed, want the one that still applies", n)
	}
	one.wantKicks(t, "who has withdrawn")
	two.wantKicks(t, "who applies", ReasonKilled)
	other.wantKicks(t, "who applies for another channel")
	withdrawTwo()
	withdrawOther()
	if n := r.Len(); n != 0 {
		t.Errorf("%d channels left", n)
	}
}

func TestRequestsToReconnectAreCounted(t *testing.T) {
	r := newTestRegistry(TakeoverIdle)
	publisher, able, unable, applicant := newSession(r), newSession(r), newSession(r), newSession(r)
	publisher.able, able.able, applicant.able = true, true, true
	p := publish(t, r, publisher, Claim{})
	defer p.Close()
	for _, s := range []*session{publisher, able, unable} { // the publisher plays as well
		defer subscribe(t, r, s, "key").Close()
	}
	publisher.silent = 2 * IdleAfter
	withdraw, err := r.Apply("live", "key", applicant)
	if err != nil {
		t.Fatal(err)
	}
	defer withdraw()
	if n := r.RequestReconnect("other", ""); n != 0 {
		t.Errorf("%d sessions of no channel asked", n)
	}
	if n := r.RequestReconnect("live", "rtmp://b.example/live"); n != 3 {
		t.Errorf("%d sessions asked, want 3", n)
	}
	for name, s := range map[string]*session{"publisher": publisher, "able": able, "unable": unable, "applicant": applicant} {
		if want := []string{"rtmp://b.example/live"}; !slices.Equal(s.asked, want) {
			t.Errorf("%s: asked for %q, want %q", name, s.asked, want)
		}
	}
}
