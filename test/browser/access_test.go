package browser

import (
	"strings"
	"testing"
)

// state is what axe-core found wrong with the page in a state.
type state struct {
	State      string
	Violations []string
	Overflow   int // pixels that are wider than the screen
}

func checkAudits(t *testing.T, states []state, want int) {
	t.Helper()
	if len(states) != want {
		t.Errorf("%d states were looked at, want %d", len(states), want)
	}
	for _, s := range states {
		if len(s.Violations) > 0 || s.Overflow > 0 {
			t.Errorf("%s: %d pixels too wide\n%s", s.State, s.Overflow, strings.Join(s.Violations, "\n"))
		}
	}
}

func TestTheAuditOfAccessibilityFindsNothing(t *testing.T) {
	s, url := serve(t)
	empty := start(t, "audits", url, "")
	checkAudits(t, each[state](empty, "audit"), 4)
	publish(t, s, "large", "channel/a-key-of-some-length")
	checkAudits(t, each[state](start(t, "audits", url, "channel"), "audit"), 16)
	if noticed := each[state](empty, "noticed"); len(noticed) != 1 || len(noticed[0].Violations) == 0 {
		t.Errorf("a picture without a text is nothing: %v", noticed)
	}
}

func TestTheFormIsAccessible(t *testing.T) {
	token := strings.Repeat("token-of-the-operator.", 2)
	_, url := serve(t, "ADMIN_TOKEN="+token)
	checkAudits(t, each[state](start(t, "login", url, token), "audit"), 4)
}

// focus is what had the focus.
type focus struct {
	Name   string
	Dialog string // in which it is
	Seen   bool   // the browser draws an outline around it
}

func TestTheKeyboardGetsEverywhere(t *testing.T) {
	s, url := serve(t)
	publish(t, s, "large", "channel/key")
	w := start(t, "keyboard", url, "channel")
	walks := each[struct {
		To  string
		Way []focus
	}](w, "walk")
	within := map[string]string{"channel": "", "preview": "details-title", "confirmation": "ask-title"}
	if len(walks) != len(within) {
		t.Fatalf("%d walks, want %d", len(walks), len(within))
	}
	for _, walk := range walks {
		for _, at := range walk.Way {
			inBrowser := at.Name == "" // between the last and the first, the focus is on the tools of the browser
			if at.Dialog != within[walk.To] && !inBrowser || !at.Seen && !inBrowser {
				t.Errorf("on the way to %s, the focus was on %+v", walk.To, at)
			}
		}
	}
	if first := walks[0].Way[0].Name; first != "Skip to the channels" {
		t.Errorf("the first is %q", first)
	}
	if first := walks[2].Way[0].Name; first != "Cancel" {
		t.Errorf("who is asked stands on %q", first)
	}
	var names []string
	for _, at := range each[focus](w, "back") {
		names = append(names, at.Name)
	}
	if got := strings.Join(names, ", "); got != "Kick publisher, Kick publisher, channel" {
		t.Errorf("the ways back led to %s", got)
	}
	s.AwaitLine(`msg="the operator closes a channel"`)
	for _, left := range each[struct{ Wrong []string }](w, "left") {
		if len(left.Wrong) > 0 {
			t.Errorf("the page did %q", left.Wrong)
		}
	}
}
