package bench

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// target is where one stream is published and played.
type target struct {
	secure bool
	host   string // for the certificate
	addr   string // host:port
	tcURL  string // up to and including the app
	app    string
	name   string // over HTTP the whole path
	web    web
}

// placeholder is replaced by the number of the stream.
const placeholder = "{n}"

// targetsOf returns the addresses of n streams. App and stream name are cut
// where OBS's two input fields meet: at the last slash.
func targetsOf(raw string, n int) ([]target, error) {
	if n > 1 && !strings.Contains(raw, placeholder) {
		return nil, fmt.Errorf("the URL must contain %s if there are several publishers", placeholder)
	}
	targets := make([]target, 0, n)
	for i := range n {
		t, err := parseTarget(strings.ReplaceAll(raw, placeholder, strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

var errURL = errors.New("the URL must be rtmp://HOST[:PORT]/APP/NAME, or rtmps://, http://, https://, ws:// or wss:// likewise")

// schemes are those of URLs that can be played. Only RTMP is published to.
var schemes = map[string]struct {
	port   string
	secure bool
	web    web
}{
	"rtmp":  {"1935", false, webNone},
	"rtmps": {"443", true, webNone},
	"http":  {"80", false, webHTTP},
	"https": {"443", true, webHTTP},
	"ws":    {"80", false, webSocket},
	"wss":   {"443", true, webSocket},
}

func parseTarget(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, fmt.Errorf("%w: %w", errURL, err)
	}
	scheme, ok := schemes[u.Scheme]
	if !ok {
		return target{}, errURL
	}
	port := orElse(u.Port(), scheme.port)
	_, path, _ := strings.Cut(raw, "://")
	_, path, _ = strings.Cut(path, "/")
	query := ""
	if at := strings.IndexByte(path, '?'); at >= 0 {
		path, query = path[:at], path[at:]
	}
	at := strings.LastIndexByte(path, '/')
	if u.Hostname() == "" || at <= 0 || at == len(path)-1 {
		return target{}, errURL
	}
	addr := net.JoinHostPort(u.Hostname(), port)
	if scheme.web != webNone {
		return target{secure: scheme.secure, host: u.Hostname(), addr: addr, name: "/" + path + query, web: scheme.web}, nil
	}
	return target{
		secure: scheme.secure,
		host:   u.Hostname(),
		addr:   addr,
		app:    path[:at],
		name:   path[at+1:] + query,
		tcURL:  u.Scheme + "://" + u.Host + "/" + path[:at],
	}, nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
