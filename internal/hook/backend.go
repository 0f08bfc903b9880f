package hook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

const (
	// maxReplyHeader bounds the header of a reply. It stops backends that send without end.
	maxReplyHeader = 64 << 10
	// maxReplyBody is how much of a reply's body is read, and thrown away, so that its connection can be used again. A longer one
	// costs its connection.
	maxReplyBody = 64 << 10
	// maxIdle bounds the connections that are kept for later requests.
	maxIdle = 16
	// idleTimeout is how long they are kept. Node.js, Apache and uvicorn close theirs after 5 s: a request on its way
	// at that moment is lost, and the publisher refused for nothing. So this side closes first.
	idleTimeout = 4 * time.Second
	// maxStreamID bounds a stream id, which goes into each log line of its session.
	maxStreamID = 256
)

// backend is the operator's server that the events go to.
type backend struct {
	url    *url.URL
	signer signer
	client *http.Client
}

// dialFunc opens connections as [net.Dialer.DialContext] does.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

func newClient(dial dialFunc, roots *x509.CertPool) *http.Client {
	if dial == nil {
		dial = (&net.Dialer{Timeout: startTimeout}).DialContext
	}
	// HTTP/1.1 only: it has one request on a connection, which makes the bounds above all there are.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Client{
		Transport: &http.Transport{
			// The environment's proxy would see the keys of whoever did not think of it.
			Proxy:           nil,
			DialContext:     dial,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			// A connection is made to its end though nobody waits for it any more: a backend that is silent would gather them.
			TLSHandshakeTimeout:    startTimeout,
			Protocols:              &protocols,
			DisableCompression:     true,
			MaxIdleConns:           maxIdle,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxReplyHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// parseURL returns the URL that events go to. The error does not quote it, since it may hold a password.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: the URL is malformed", ErrOptions)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: the URL must begin with http:// or https://", ErrOptions)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%w: the URL has no host", ErrOptions)
	case u.Fragment != "" || strings.Contains(text, "#"):
		return nil, fmt.Errorf("%w: the URL has a fragment", ErrOptions)
	}
	return u, nil
}

// reply is what the backend answered, as far as it matters.
type reply struct {
	status    int
	streamIDs []string
	// broken is why the body did not come in full, if it did not.
	broken error
}

// post sends an event and returns the reply. The error means that there was none; its text may quote secrets, so pass it
// through cause.
func (b *backend) post(ctx context.Context, event string, s session) (reply, error) {
	token, err := b.signer.sign(event, s, time.Now())
	if err != nil {
		return reply{}, err
	}
	request := (&http.Request{
		Method: http.MethodPost,
		URL:    b.url,
		Host:   b.url.Host,
		Header: http.Header{"User-Agent": {"rtmp-server"}},
		Body:   http.NoBody,
	}).WithContext(ctx)
	request.Header.Set("rtmp-event", token)
	response, err := b.client.Do(request) // adds the user and password of the URL
	if err != nil {
		return reply{}, fmt.Errorf("post event: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	r := reply{status: response.StatusCode, streamIDs: response.Header.Values("stream-id")}
	if r.status != http.StatusSwitchingProtocols { // whose body is the raw connection
		_, r.broken = io.Copy(io.Discard, io.LimitReader(response.Body, maxReplyBody))
	}
	return r, nil
}

// healthy reports whether the backend does its work, which a refusal is part of.
func (r reply) healthy() bool {
	if r.status == http.StatusOK {
		return r.broken == nil
	}
	return r.status < http.StatusInternalServerError
}

// streamID returns the id of an accepted start, or why the start was not accepted.
func (r reply) streamID() (string, error) {
	switch {
	case r.status != http.StatusOK:
		return "", r.refusal()
	case len(r.streamIDs) == 0:
		return "", fmt.Errorf("%w: it has none", ErrBadReply)
	case len(r.streamIDs) > 1:
		return "", fmt.Errorf("%w: it has %d", ErrBadReply, len(r.streamIDs))
	case len(r.streamIDs[0]) > maxStreamID:
		return "", fmt.Errorf("%w: it is longer than %d characters", ErrBadReply, maxStreamID)
	case !validStreamID(r.streamIDs[0]):
		return "", fmt.Errorf("%w: it is empty or has characters other than A-Z, a-z, 0-9, - and _", ErrBadReply)
	}
	return r.streamIDs[0], nil
}

// refusal is the error of a start to which the backend said no. One that could not decide, or is not there at all, has not
// denied anything.
func (r reply) refusal() error {
	err := fmt.Errorf("%w with status %d", ErrRefused, r.status)
	switch r.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return err
	}
	if r.status < http.StatusBadRequest || r.status >= http.StatusInternalServerError {
		return err
	}
	return access.Denied(err)
}

func validStreamID(id string) bool {
	for _, c := range []byte(id) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && c != '-' && c != '_' {
			return false
		}
	}
	return id != ""
}

// stopOver reports whether the reply to a stop event ends it, and whether it took the event or rejected it for good.
func (r reply) stopOver() (over, taken bool) {
	switch {
	case r.status == http.StatusRequestTimeout, r.status == http.StatusTooManyRequests:
		return false, false
	case r.status >= 200 && r.status < 300:
		return true, true
	}
	return r.status >= 400 && r.status < 500, false
}
