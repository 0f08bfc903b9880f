package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// startCallbackServer runs a server whose publishers a backend decides about.
// When it has ended, neither a secret, nor a key, nor a token may be in its log.
func startCallbackServer(t *testing.T, b *callbackBackend, settings ...string) *server {
	t.Helper()
	var s *server
	t.Cleanup(func() { // after the server has stopped
		if s == nil {
			return
		}
		for _, leak := range leaks(s.log.all(), b.events.all()) {
			t.Errorf("the log shows %s", leak)
		}
	})
	s = startServer(t, append([]string{
		"CALLBACK_URL=" + b.url, "JWT_SECRET=" + callbackSecret, "MAX_IP_CONCURRENT_CONNECTIONS=0",
	}, settings...)...)
	if shown := attr(s.awaitLine("JWT_SECRET="), "JWT_SECRET"); shown != "***" {
		t.Errorf("the server shows its secret as %q", shown)
	}
	return s
}

// leaks lists the secrets that are in a log, or that parts of are: any four
// characters of one in a row.
func leaks(lines []string, events []callbackEvent) (found []string) {
	text := strings.Join(lines, "\n")
	for name, secret := range map[string]string{
		"the secret": callbackSecret, "a stream key": hiddenKey, "the password": callbackPassword,
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
		if key := attr(line, "key"); key != "" && key != "***" && key != shownKey+"***" {
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
		for i, part := range strings.Split(e.token, ".") {
			if part != "" && words[part] {
				found = append(found, fmt.Sprintf("part %d of token %s", i, e.token))
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
	events := []callbackEvent{{token: "eyJhbGci.eyJzdWIi.c2lnbmF0dXJl"}}
	for line, want := range map[string]bool{
		"msg=publish key=qk*** stream_id=S-AAAA":    false,
		"msg=publish key=*** JWT_SECRET=***":        false,
		"error=\"secret " + callbackSecret + "\"":   true,
		"msg=publish key=" + callbackKey:            true,
		"msg=publish key=" + callbackKey[:4] + "**": true,
		"msg=publish key=other":                     true,
		"url=http://user:" + callbackPassword + "@": true,
		"token=eyJhbGci.eyJzdWIi.c2lnbmF0dXJl":      true,
		"Rtmp-Event: [c2lnbmF0dXJl]":                true,
		"tokenXeyJzdWIi":                            true,
	} {
		if found := leaks([]string{"msg=listening", line}, events); (len(found) > 0) != want {
			t.Errorf("%s: found %q", line, found)
		}
	}
}
