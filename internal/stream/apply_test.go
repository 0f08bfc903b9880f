package stream

import "testing"

func TestKillSessionReachesWhoeverApplies(t *testing.T) {
	r := newTestRegistry(TakeoverIdle)
	one, two, other := newSession(r), newSession(r), newSession(r)
	withdrawOne, errOne := r.Apply("live", one)
	withdrawTwo, errTwo := r.Apply("live", two)
	withdrawOther, errOther := r.Apply("other", other)
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
