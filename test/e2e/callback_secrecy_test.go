package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// startCallbackServer runs a server whose publishers a backend decides about.
// When it has ended, neither a secret, nor a key, nor a token may be in its log.
func startCallbackServer(t *testing.T, b *stage.Backend, settings ...string) *stage.Server {
	t.Helper()
	var s *stage.Server
	t.Cleanup(func() { // after the server has stopped
		if s == nil {
			return
		}
		for _, leak := range leaks(s.Log.All(), b.Events.All()) {
			t.Errorf("the log shows %s", leak)
		}
	})
	s = stage.Start(t, append([]string{
		"CALLBACK_URL=" + b.URL, "JWT_SECRET=" + stage.CallbackSecret, "MAX_IP_CONCURRENT_CONNECTIONS=0",
		"KEY_GUESSES_PER_MINUTE=0",
	}, settings...)...)
	if shown := stage.Attr(s.AwaitLine("JWT_SECRET="), "JWT_SECRET"); shown != "***" {
		t.Errorf("the server shows its secret as %q", shown)
	}
	return s
}

// leaks lists the secrets that are in a log, or that parts of are: any four
// characters of one in a row.
func leaks(lines []string, events []stage.Event) (found []string) {
	text := strings.Join(lines, "\n")
	for name, secret := range map[string]string{
		"the secret": stage.CallbackSecret, "a stream key": stage.HiddenKey, "the password": stage.CallbackPassword,
	} {
		const part = 4
		for i := range len(secret) - part + 1 {
			if strings.Contains(text, secret[i:i+part]) {
				found = append(found, fmt.Sprintf("%q of %s", secret[i:i+part], name))
			}
		}
	}
	for _, line := range lines {
		if !strings.Contains(line, " key=") {
			continue
		}
		if key := stage.Attr(line, "key"); key != "" && key != "***" && key != stage.ShownKey+"***" {
			found = append(found, "key="+key)
		}
	}
	// A word is as long a run of characters of base64url as there is, as the
	// parts of a token are.
	words := make(map[string]bool)
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !tokenCharacter(r) }) {
		words[word] = true
	}
	for _, e := range events {
		for i, part := range strings.Split(e.Token, ".") {
			if part != "" && words[part] {
				found = append(found, fmt.Sprintf("part %d of token %s", i, e.Token))
			}
		}
	}
	// Each JSON object begins like this, be it in the middle of a word.
	if strings.Contains(text, "eyJ") {
		found = append(found, "something like a token")
	}
	return found
}

func tokenCharacter(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	events := []stage.Event{{Token: "eyJhbGci.eyJzdWIi.c2lnbmF0dXJl"}}
	for line, want := range map[string]bool{
		"msg=publish key=qk*** stream_id=S-AAAA":          false,
		"msg=publish key=*** JWT_SECRET=***":              false,
		"error=\"secret " + stage.CallbackSecret + "\"":   true,
		"msg=publish key=" + stage.CallbackKey:            true,
		"msg=publish key=" + stage.CallbackKey[:4] + "**": true,
		"msg=publish key=other":                           true,
		"url=http://user:" + stage.CallbackPassword + "@": true,
		"token=eyJhbGci.eyJzdWIi.c2lnbmF0dXJl":            true,
		"Rtmp-Event: [c2lnbmF0dXJl]":                      true,
		"tokenXeyJzdWIi":                                  true,
	} {
		if found := leaks([]string{"msg=listening", line}, events); (len(found) > 0) != want {
			t.Errorf("%s: found %q", line, found)
		}
	}
}
