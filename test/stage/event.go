package stage

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Event is a request that a backend got.
type Event struct {
	Method, Target string
	User, Password string
	At             time.Time
	Token          string
	Header, Claims map[string]any

	// Some of the claims; those that are missing are empty.
	Event, Channel, Key, ClientIP, StreamID, Jti string
}

// readEvent reads a request and verifies its token.
func readEvent(r *http.Request) (Event, error) {
	e := Event{Method: r.Method, Target: r.RequestURI, At: time.Now()}
	e.User, e.Password, _ = r.BasicAuth()
	body, err := io.ReadAll(r.Body)
	switch values := r.Header.Values("rtmp-event"); {
	case err != nil:
		return e, err
	case len(body) > 0 || r.ContentLength != 0:
		return e, fmt.Errorf("a body of %d bytes, announced as %d", len(body), r.ContentLength)
	case r.Method != http.MethodPost:
		return e, fmt.Errorf("method %s", r.Method)
	case len(values) != 1:
		return e, fmt.Errorf("%d headers rtmp-event", len(values))
	default:
		e.Token = values[0]
	}
	if e.Header, e.Claims, err = verifyToken(e.Token, CallbackSecret); err != nil {
		return e, fmt.Errorf("token: %w", err)
	}
	for name, field := range map[string]*string{
		"event": &e.Event, "channel": &e.Channel, "key": &e.Key,
		"client_ip": &e.ClientIP, "stream_id": &e.StreamID, "jti": &e.Jti,
	} {
		*field, _ = e.Claims[name].(string)
	}
	return e, nil
}

// verifyToken is a JWT verifier of its own (RFC 7515 section 5.2, RFC 7518
// section 3.2), to check the one that the server signs with.
func verifyToken(token, secret string) (header, claims map[string]any, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, fmt.Errorf("%d parts", len(parts))
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, nil, fmt.Errorf("part %d: %w", i, err)
		}
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(parts[0] + "." + parts[1]))
	if !hmac.Equal(mac.Sum(nil), decoded[2]) {
		return nil, nil, errors.New("wrong signature")
	}
	if header, err = decodeObject(decoded[0]); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	if claims, err = decodeObject(decoded[1]); err != nil {
		return nil, nil, fmt.Errorf("claims: %w", err)
	}
	if header["alg"] != "HS256" {
		return nil, nil, fmt.Errorf("algorithm %v", header["alg"])
	}
	return header, claims, nil
}

func decodeObject(text []byte) (object map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return object, nil
}

// Seconds returns a claim that is a time, and 0 if it is not a whole number.
func (e Event) Seconds(name string) int64 {
	number, _ := e.Claims[name].(json.Number)
	n, err := number.Int64()
	if err != nil {
		return 0
	}
	return n
}

// newStreamID returns an id that no other call returns. Its letters are all
// capital, so that it looks like no part of a token.
func newStreamID() string { return "S-" + rand.Text() }
