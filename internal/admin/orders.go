package admin

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func (s *Server) deleteSession(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !s.options.Source.Kick(id) {
		failSession(w)
		return
	}
	s.options.Log.Info("the operator ends a session", "session", id, "operator", r.RemoteAddr)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) deleteChannel(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	n := s.options.Source.CloseChannel(name)
	if n == 0 {
		failChannel(w)
		return
	}
	s.options.Log.Info("the operator closes a channel", "channel", name, "sessions", n, "operator", r.RemoteAddr)
	answer(w, struct {
		Sessions int `json:"sessions"`
	}{n})
}

func (s *Server) reconnectChannel(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, "The body is not application/json.")
		return
	}
	var order struct {
		URL string `json:"url"`
	}
	body := json.NewDecoder(r.Body)
	body.DisallowUnknownFields()
	err := body.Decode(&order)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		fail(w, http.StatusRequestEntityTooLarge, "The body is too long.")
		return
	case err != nil || body.More():
		fail(w, http.StatusBadRequest, `The body is not of the form {"url": ""}.`)
		return
	case order.URL != "" && !usableURL(order.URL):
		fail(w, http.StatusBadRequest, "The url is none of a host, a port and a path behind rtmp:// or rtmps://.")
		return
	}
	name := r.PathValue("name")
	n := s.options.Source.RequestReconnect(name, order.URL)
	s.options.Log.Info("the operator asks a channel to reconnect", "channel", name, "url", order.URL, "asked", n, "operator", r.RemoteAddr)
	answer(w, struct {
		Asked int `json:"asked"`
	}{n})
}

// usableURL reports whether clients can be sent to a URL. One with a user and
// password is none of them: it would stand in the log, and go to everybody.
func usableURL(text string) bool {
	if len(text) > maxURL || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "rtmp" && u.Scheme != "rtmps" || u.Hostname() == "" || u.User != nil {
		return false
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return u.Port() == "" || err == nil && port > 0
}

// playChannel hands out a ticket for a preview, so that the key of the channel does
// not have to get to the page.
func (s *Server) playChannel(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if s.options.Preview == nil {
		fail(w, http.StatusNotImplemented, "This server has no preview.")
		return
	}
	live := false
	for _, c := range s.options.Source.Channels() {
		live = live || c.Name == name && c.Live
	}
	if !live {
		fail(w, http.StatusNotFound, "Nobody publishes on a channel of this name.")
		return
	}
	ticket, expires := s.tickets.issue(name)
	answer(w, struct {
		URL     string    `json:"url"`
		Expires time.Time `json:"expires"`
	}{"/preview/" + name + "?ticket=" + ticket, expires})
}

// preview shows a channel to who has a ticket for it. A ticket for one channel is
// used up by asking with it for another.
func (s *Server) preview(w http.ResponseWriter, r *http.Request) {
	channel, ok := s.tickets.take(r.URL.Query().Get("ticket"))
	if !ok || channel != r.PathValue("channel") {
		fail(w, http.StatusForbidden, "The ticket is used up, expired, or for something else.")
		return
	}
	withoutDeadlines(s.options.Preview).ServeHTTP(w, r)
}

// withoutDeadlines is for what takes as long as it takes.
func withoutDeadlines(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Time{}) // it would end the request
		_ = control.SetWriteDeadline(time.Time{})
		h.ServeHTTP(w, r)
	})
}
