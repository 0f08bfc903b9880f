package hook

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

// tokenLifetime is how long a token may be used after it was signed. It leaves room for clocks that disagree, and bounds
// the time in which a token that leaked can be replayed.
const tokenLifetime = 120 * time.Second

// The events, as the token names them.
const (
	eventStart = "start"
	eventStop  = "stop"
)

// session is one publication that the backend accepted.
type session struct {
	access.Request
	streamID string
}

// claims are the contents of a token. Host and port are those that clients publish to, for backends that serve several servers.
type claims struct {
	jwt.RegisteredClaims

	Event    string `json:"event"`
	Channel  string `json:"channel"`
	Key      string `json:"key"`
	ClientIP string `json:"client_ip"`
	Host     string `json:"rtmp_host"`
	Port     int    `json:"rtmp_port"`
	StreamID string `json:"stream_id,omitempty"` // unknown at the start
}

// signer makes tokens.
type signer struct {
	secret  []byte
	subject string
	host    string
	port    int
}

// sign returns a token for an event of s that is valid from now on.
func (g *signer) sign(event string, s session, now time.Time) (string, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject:   g.subject,
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(tokenLifetime)),
			ID:        rand.Text(),
		},
		Event:    event,
		Channel:  s.Channel,
		Key:      s.Key,
		ClientIP: addressText(s.Client),
		Host:     g.host,
		Port:     g.port,
		StreamID: s.streamID,
	}).SignedString(g.secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}

// addressText writes an address as backends know it: IPv4 as IPv4 whatever the socket was, no zone, and nothing if there is none.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}
