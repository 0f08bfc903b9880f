package config

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// HTTP is how viewers play over HTTP and WebSocket.
type HTTP struct {
	// Port and SecurePort are those of HTTP and HTTPS, 0 for none.
	Port, SecurePort int
	// Origin is the origin whose pages may play, everyOrigin, or empty for none but
	// the server's own.
	Origin string
}

// everyOrigin stands for all pages there are.
const everyOrigin = "*"

// optionalPort is a port that is not open unless it is asked for.
func optionalPort(at func(*Settings) *int) parser {
	parse := func(value string) (int, error) {
		if on, err := parseToggle(value); err == nil && !on {
			return 0, nil
		}
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil || port == 0 {
			return 0, errors.New("not a port")
		}
		return int(port), nil
	}
	return field(at, "a port from 1 to 65535, or "+no, parse, func(port int) string {
		if port == 0 {
			return no
		}
		return strconv.Itoa(port)
	})
}

// origin is what a browser calls the origin of a page: a URL without a path.
func origin(at func(*Settings) *string) parser {
	parse := func(value string) (string, error) {
		if value == everyOrigin {
			return value, nil
		}
		if on, err := parseToggle(value); err == nil && !on {
			return "", nil
		}
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || value != u.Scheme+"://"+u.Host || strings.ContainsAny(value, "* ") {
			return "", errors.New("not an origin")
		}
		return value, nil
	}
	return field(at, "an origin such as https://example.com, * for all, or "+no, parse, func(origin string) string {
		if origin == "" {
			return no
		}
		return origin
	})
}
