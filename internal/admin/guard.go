package admin

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// contentPolicy lets the page use what it is served with, and nothing else: neither
// a script within text that became markup, nor text that is about to.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
	"media-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// protection are the headers of every answer.
var protection = map[string]string{
	"Content-Security-Policy":      contentPolicy,
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Permissions-Policy":           "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
}

// guard lets requests through to next that the operator meant to make.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range protection {
			w.Header().Set(name, value)
		}
		if !plainPath(r) {
			fail(w, http.StatusBadRequest, "The path has characters or empty parts that no path here needs.")
			return
		}
		if isHealth(r.URL.Path) { // tells nothing, and balancers have names of their own for this host
			next.ServeHTTP(w, r)
			return
		}
		access := s.door.admit(r)
		switch {
		case access == barred:
			w.Header().Set("Retry-After", "60")
			fail(w, http.StatusTooManyRequests, "There were too many wrong tokens from this address.")
		// No page can have a browser send the token in a header.
		case access != byHeader && !s.knownHost(r.Host):
			fail(w, http.StatusForbidden, "The administration is not known by this host name.")
		case s.foreign(r) != nil:
			fail(w, http.StatusForbidden, "The request comes from another site.")
		case access == refused && isLogin(r.URL.Path):
			s.limitBody(w, r, next)
		case access == refused:
			s.askForToken(w, r)
		default:
			s.limitBody(w, r, next)
		}
	})
}

func (s *Server) limitBody(w http.ResponseWriter, r *http.Request, next http.Handler) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	next.ServeHTTP(w, r)
}

func isHealth(path string) bool { return path == "/healthz" || path == "/readyz" }

// plainPath reports whether a path can be read in one way only. Channels, ids and
// files of the page need no other characters.
func plainPath(r *http.Request) bool {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(raw, "/") || strings.ContainsFunc(raw, notInPath) {
		return false
	}
	return raw == "/" || path.Clean(raw) == strings.TrimSuffix(raw, "/")
}

func notInPath(r rune) bool {
	in := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-", r)
	return !in
}

// knownHost reports whether a Host header names this server. A page elsewhere
// whose name is made to resolve to this server (DNS rebinding) has that name in it.
func (s *Server) knownHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	if _, err = netip.ParseAddr(host); err == nil {
		return true
	}
	host = strings.ToLower(host)
	return host == "localhost" || host != "" && host == s.options.Host
}

var errForeign = errors.New("request from another site")

// foreign returns an error for what a browser sends on behalf of another site,
// reading included: those who read the state would see what is live.
func (s *Server) foreign(r *http.Request) error {
	if err := s.crossOrigin.Check(r); err != nil {
		return err
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return nil
	case "":
		if origin := r.Header.Values("Origin"); len(origin) > 0 && !sameHost(origin, r.Host) {
			return errForeign
		}
		return nil
	}
	if isNavigation(r) && !isData(r.URL.Path) {
		return nil // a link to the page is no harm
	}
	return errForeign
}

func sameHost(origin []string, host string) bool {
	u, err := url.Parse(origin[0])
	return len(origin) == 1 && err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

func isNavigation(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// isData reports whether a path is asked for by programs rather than by people.
func isData(path string) bool {
	for _, prefix := range []string{"/api/", "/preview/", "/debug/", "/metrics"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
