package stream

import (
	"testing"
	"time"
)

func TestRestingTellsUntilWhenAndForWhom(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	p := publish(t, r, newSession(r), Claim{})
	defer p.Close()
	p.Rest(time.Second)
	if until, watched := p.Resting(); until != time.Second || watched {
		t.Errorf("got %v, watched %v; nobody watches", until, watched)
	}
	sub := subscribe(t, r, newSession(r), "key")
	defer sub.Close()
	if until, watched := p.Resting(); until != time.Second || !watched {
		t.Errorf("got %v, watched %v; somebody watches", until, watched)
	}
}

func TestACursorIsOpenUntilItIsClosed(t *testing.T) {
	var c Cursor
	if c.IsOpen() {
		t.Error("open before Open")
	}
	c.Open(logOf("v0!@10"), AtGroup)
	if !c.IsOpen() || drain(&c) != "v0!@10" {
		t.Error("not open after Open")
	}
	c.Close()
	if c.IsOpen() {
		t.Error("open after Close")
	}
}
