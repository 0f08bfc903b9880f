package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

const (
	// loginLifetime is how long a browser stays logged in.
	loginLifetime = 12 * time.Hour
	// maxLogins stops whoever has the token from filling the memory by accident.
	maxLogins = 64

	cookieName = "rtmp_server_admin"
)

// access says by what a request may pass, if it may.
type access uint8

const (
	refused  access = iota
	barred          // by the brake
	open            // there is no token
	byHeader        // the token itself
	byCookie        // a login
)

// door knows who has shown the token.
type door struct {
	token  [sha256.Size]byte
	open   bool // there is none
	logins *passes[struct{}]
	brake  *brake
	log    *slog.Logger
}

func newDoor(token string, log *slog.Logger) *door {
	return &door{
		token:  sha256.Sum256([]byte(token)),
		open:   token == "",
		logins: newPasses[struct{}](loginLifetime, maxLogins),
		brake:  newBrake(),
		log:    log,
	}
}

// admit looks for a login or the token. A login is too long to be guessed, so that
// the brake leaves those alone who have one.
func (d *door) admit(r *http.Request) access {
	if d.open {
		return open
	}
	for _, cookie := range r.CookiesNamed(cookieName) {
		if _, ok := d.logins.check(cookie.Value); ok {
			return byCookie
		}
	}
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		return refused
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if len(given) > 1 || !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	switch d.try(r, token) {
	case tryRight:
		return byHeader
	case tryBarred:
		return barred
	default:
		return refused
	}
}

// What comes of trying a token.
type outcome uint8

const (
	tryWrong outcome = iota
	tryRight
	tryBarred // not even looked at
)

// try compares a token with the right one, in a time that does not depend on it.
func (d *door) try(r *http.Request, token string) outcome {
	if d.brake.holds(r.RemoteAddr) {
		return tryBarred
	}
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], d.token[:]) == 1 && !d.open {
		return tryRight
	}
	if d.brake.fail(r.RemoteAddr) {
		d.log.Warn("too many wrong tokens for the administration: none is taken for a minute", "address", r.RemoteAddr)
	}
	return tryWrong
}

// enter gives a browser its login.
func (d *door) enter(w http.ResponseWriter, r *http.Request) {
	pass, _ := d.logins.issue(struct{}{})
	d.log.Info("login to the administration", "address", r.RemoteAddr)
	http.SetCookie(w, cookie(r, pass, int(loginLifetime.Seconds())))
}

// leave takes it away.
func (d *door) leave(w http.ResponseWriter, r *http.Request) {
	for _, c := range r.CookiesNamed(cookieName) {
		d.logins.take(c.Value)
	}
	http.SetCookie(w, cookie(r, "", -1))
}

func cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // without TLS, a browser would not send a secure one back
		Name:     cookieName,
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   r.TLS != nil,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
}
