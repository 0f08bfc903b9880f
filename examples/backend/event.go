package main

import (
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// subject is the sub claim of events. A server with CUSTOM_JWT_SUBJECT sends
// that one instead.
const subject = "rtmp_event"

// The names of events.
const (
	eventStart = "start"
	eventStop  = "stop"
)

var errEvent = errors.New("event is neither start nor stop")

// event is what a token says, as far as this backend needs it.
type event struct {
	jwt.RegisteredClaims

	Name     string `json:"event"`
	Channel  string `json:"channel"`
	Key      string `json:"key"`
	ClientIP string `json:"client_ip"`
	StreamID string `json:"stream_id"` // in a stop only
}

// Validate is called by the parser, after the signature was found right.
func (e *event) Validate() error {
	if e.Name != eventStart && e.Name != eventStop {
		return errEvent
	}
	return nil
}

// verifier tells the server's tokens from all others.
type verifier struct {
	secret []byte
	parser *jwt.Parser
}

func newVerifier(secret []byte) verifier {
	return verifier{secret, jwt.NewParser(
		// The token names its algorithm itself: without this line, "none" would do.
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithSubject(subject),
		jwt.WithExpirationRequired(),
	)}
}

// verify returns what the token says. The error does not quote it.
func (v verifier) verify(token string) (event, error) {
	var e event
	_, err := v.parser.ParseWithClaims(token, &e, func(*jwt.Token) (any, error) { return v.secret, nil })
	if err != nil {
		return event{}, fmt.Errorf("verify token: %w", err)
	}
	return e, nil
}
