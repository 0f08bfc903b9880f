package config

import (
	"errors"
	"net"
	"strconv"
	"strings"
)

// hostPort is an address to listen on with its port, or NO, which is an empty field.
func hostPort(at func(*Settings) *string) parser {
	return field(at, "an IP address or a host name with a port, as in "+DefaultAdminAddress+", or "+no, parseHostPort,
		func(address string) string {
			if address == "" {
				return no
			}
			return address
		})
}

func parseHostPort(value string) (string, error) {
	if on, err := parseToggle(value); err == nil && !on {
		return "", nil
	}
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return "", errors.New("not a host and a port")
	}
	if _, err = parseBindAddress(host); err != nil || strings.HasPrefix(host, "[") {
		return "", errors.New("neither an address nor a host name before the port")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", errors.New("the port is none from 0 to 65535")
	}
	return net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(n, 10)), nil
}

// A token is sent in a header as it is, and has to stand against any number of guesses. Its length is that of a secret as
// strong as a hash.
const (
	minTokenLength = 32
	maxTokenLength = 4096
)

// token is a secret of the characters that RFC 6750 section 2.1 has.
func token(at func(*Settings) *string) parser {
	const expected = "32 to 4096 letters, digits and characters of -._~+/="
	return field(at, expected, func(value string) (string, error) {
		unfit := func(r rune) bool {
			fit := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~+/=", r)
			return !fit
		}
		switch {
		case value == "":
			return "", nil
		case strings.ContainsFunc(value, unfit):
			return "", errors.New("other characters within")
		case len(value) < minTokenLength:
			return "", errors.New("too short")
		case len(value) > maxTokenLength:
			return "", errors.New("too long")
		}
		return value, nil
	}, verbatim)
}
