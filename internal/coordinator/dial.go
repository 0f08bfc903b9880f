package coordinator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

const (
	// dialTimeout bounds a connection attempt, from the name's resolution to
	// the coordinator's answer.
	dialTimeout = 10 * time.Second
	// tokenLifetime is how long the token for a connection is valid. It is used
	// at once; the rest is for clocks that differ.
	tokenLifetime = 2 * time.Minute
	tokenSubject  = "rtmp-control"
	// maxResponseHeader bounds the answer to a connection attempt. It stops a
	// coordinator that never ends it.
	maxResponseHeader = 64 << 10
	// maxFrame bounds a message from the coordinator. The longest useful one
	// has some 600 bytes.
	maxFrame = 64 << 10
)

// endpoint returns the address to connect to under a base URL.
func endpoint(base string) (string, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return "", errors.New("base URL cannot be read") // err quotes it, with the password in it
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("base URL must not have a user, a query or a fragment")
	case u.Host == "":
		return "", errors.New("base URL has no host")
	}
	switch u.Scheme {
	case "http", "ws":
		u.Scheme = "ws"
	case "https", "wss":
		u.Scheme = "wss"
	default:
		return "", fmt.Errorf("base URL has the scheme %q, expected http, https, ws or wss", u.Scheme)
	}
	return u.JoinPath("ws", "control", "rtmp").String(), nil
}

// newClient returns an HTTP client that sends the token to nobody but the
// coordinator: it follows no redirect and knows no proxy.
func newClient(o Options) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            o.DialContext,
			TLSClientConfig:        o.TLS,
			TLSHandshakeTimeout:    dialTimeout, // or net/http goes on with one that nobody waits for
			DisableKeepAlives:      true,        // each connection is the coordinator's for good
			MaxResponseHeaderBytes: maxResponseHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// dial makes one attempt to connect.
func (c *Coordinator) dial(ctx context.Context) (*websocket.Conn, error) {
	header, err := c.header()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	//nolint:bodyclose // Dial closes it or makes it the connection
	ws, _, err := websocket.Dial(ctx, c.endpoint, &websocket.DialOptions{HTTPClient: c.client, HTTPHeader: header})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(maxFrame)
	return ws, nil
}

// header tells the coordinator who connects, and how clients reach this server.
func (c *Coordinator) header() (http.Header, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject:   tokenSubject,
		ExpiresAt: jwt.NewNumericDate(time.Now().Add(tokenLifetime)),
	}).SignedString([]byte(c.options.Secret))
	if err != nil {
		return nil, fmt.Errorf("sign token: %w", err)
	}
	c.token = token
	header := http.Header{}
	header.Set("x-control-auth-token", token)
	if c.options.ExternalIP.IsValid() {
		header.Set("x-external-ip", c.options.ExternalIP.String())
	}
	if c.options.ExternalPort != 0 {
		header.Set("x-custom-port", strconv.Itoa(c.options.ExternalPort))
	}
	if c.options.ExternalSSL {
		header.Set("x-ssl-use", "true")
	}
	return header, nil
}
