package stage

import (
	"fmt"
	"strings"
)

// Leaks lists the secrets that are in a log, or that parts of are: any four
// characters of one in a row.
func Leaks(lines []string, events []Event) (found []string) {
	text := strings.Join(lines, "\n")
	for name, secret := range map[string]string{
		"the secret": CallbackSecret, "a stream key": HiddenKey, "the password": CallbackPassword,
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
		if key := Attr(line, "key"); key != "" && key != "***" && key != ShownKey+"***" {
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
