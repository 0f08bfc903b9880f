package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

// parser carries one setting between its text and its field.
type parser struct {
	expected string // what can be used, to follow the word "expected"
	set      func(s *Settings, value string) error
	text     func(s *Settings) string // a value that set would take
}

// field makes a parser of a field's place and the two ways between its type and text.
func field[T any](at func(*Settings) *T, expected string, parse func(string) (T, error), text func(T) string) parser {
	return parser{
		expected: expected,
		set: func(s *Settings, value string) (err error) {
			*at(s), err = parse(value)
			return err
		},
		text: func(s *Settings) string { return text(*at(s)) },
	}
}

// number is a whole number of units; the field and the bounds low and high are the number times unit.
func number[T ~int | ~int64](at func(*Settings) *T, low, high, unit T) parser {
	lowest, highest := int64(low/unit), int64(high/unit)
	parse := func(value string) (T, error) {
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case errors.Is(err, strconv.ErrSyntax):
			return 0, errors.New("not a whole number")
		case err != nil || n < lowest || n > highest:
			return 0, errors.New("out of range")
		}
		return T(n) * unit, nil
	}
	text := func(v T) string { return strconv.FormatInt(int64(v/unit), 10) }
	return field(at, fmt.Sprintf("a whole number from %d to %d", lowest, highest), parse, text)
}

// The values of a toggle as they are shown.
const (
	yes = "YES"
	no  = "NO"

	expectedToggle = yes + " or " + no
)

// toggle is a value of two states, in any case.
func toggle(at func(*Settings) *bool) parser {
	return field(at, expectedToggle, parseToggle, func(on bool) string {
		if on {
			return yes
		}
		return no
	})
}

func parseToggle(value string) (bool, error) {
	switch strings.ToUpper(value) {
	case yes, "TRUE", "ON", "1":
		return true, nil
	case no, "FALSE", "OFF", "0":
		return false, nil
	}
	return false, errors.New("neither yes nor no")
}

// choice is one of several lower-case words, in any case.
func choice[T ~string](at func(*Settings) *T, words ...T) parser {
	names := make([]string, len(words))
	for i, word := range words {
		names[i] = string(word)
	}
	last := len(names) - 1
	expected := strings.Join(names[:last], ", ") + " or " + names[last]
	parse := func(value string) (T, error) {
		if word := T(strings.ToLower(value)); slices.Contains(words, word) {
			return word, nil
		}
		return "", errors.New("not one of the choices")
	}
	return field(at, expected, parse, func(word T) string { return string(word) })
}

// verbatim is the text of a string field.
func verbatim(value string) string { return value }

// word is text that can stand in a log line or a token without trouble.
func word(at func(*Settings) *string, longest int) parser {
	expected := fmt.Sprintf("at most %d printable characters without spaces", longest)
	return field(at, expected, func(value string) (string, error) {
		unfit := func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) }
		switch {
		case !utf8.ValidString(value) || strings.ContainsFunc(value, unfit):
			return "", errors.New("spaces or unprintable characters within")
		case utf8.RuneCountInString(value) > longest:
			return "", errors.New("too long")
		}
		return value, nil
	}, verbatim)
}

// phrase is printable text in which spaces may stand: a path, a password.
func phrase(at func(*Settings) *string) parser {
	expected := fmt.Sprintf("at most %d printable characters", maxTextLength)
	return field(at, expected, func(value string) (string, error) {
		unfit := func(r rune) bool { return !unicode.IsPrint(r) }
		switch {
		case !utf8.ValidString(value) || strings.ContainsFunc(value, unfit):
			return "", errors.New("unprintable characters within")
		case utf8.RuneCountInString(value) > maxTextLength:
			return "", errors.New("too long")
		}
		return value, nil
	}, verbatim)
}

// address is a URL of one of the schemes. It is shown without password and query, where tokens stand.
func address(at func(*Settings) *string, schemes ...string) parser {
	expected := "a URL that begins with " + strings.Join(schemes, "://, ") + "://"
	parse := func(value string) (string, error) {
		if value == "" {
			return "", nil
		}
		u, err := url.Parse(value)
		if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" || u.Fragment != "" {
			return "", errors.New("not such a URL")
		}
		return value, nil
	}
	return field(at, expected, parse, func(value string) string {
		u, err := url.Parse(value)
		if err != nil {
			return mask
		}
		if u.RawQuery != "" {
			u.RawQuery = mask
		}
		return u.Redacted()
	})
}

// addressList is a list for package access, which knows the syntax.
func addressList(at func(*Settings) *access.List) parser {
	return field(at, "addresses and subnets split by commas, or * for everyone", access.ParseList, access.List.String)
}

// bindAddress is what a socket can be bound to: an address, IPv6 with or without brackets, or a host name.
func bindAddress(at func(*Settings) *string) parser {
	return field(at, "an IP address or a host name, without a port", parseBindAddress, verbatim)
}

// ipAddress is an address without a zone, which other hosts could not use.
func ipAddress(at func(*Settings) *netip.Addr) parser {
	parse := func(value string) (netip.Addr, error) {
		if value == "" {
			return netip.Addr{}, nil
		}
		addr, err := netip.ParseAddr(value)
		if err != nil || addr.Zone() != "" {
			return netip.Addr{}, errors.New("not an address")
		}
		return addr, nil
	}
	return field(at, "an IP address", parse, func(addr netip.Addr) string {
		if !addr.IsValid() {
			return ""
		}
		return addr.String()
	})
}

// hostName is RFC 1123 section 2.1 with underscores, which names of containers may have.
var hostName = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.|$))+$`)

// numericEnd is how a mistyped IPv4 address ends and a host name cannot.
var numericEnd = regexp.MustCompile(`(^|\.)[0-9]+\.?$`)

func parseBindAddress(value string) (string, error) {
	if value == "" || isHostName(value) {
		return value, nil
	}
	bare, bracketed := strings.CutPrefix(value, "[")
	if bracketed {
		bare = strings.TrimSuffix(bare, "]")
	}
	addr, err := netip.ParseAddr(bare)
	if err != nil || bracketed && (!addr.Is6() || value != "["+bare+"]") {
		return "", errors.New("neither an address nor a host name")
	}
	return bare, nil
}

func isHostName(value string) bool {
	return len(value) <= maxHostLength && hostName.MatchString(value) && !numericEnd.MatchString(value)
}
