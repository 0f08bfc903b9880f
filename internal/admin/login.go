package admin

import (
	_ "embed" // the style of the form
	"fmt"
	"net/http"
)

const (
	loginPath  = "/login"
	loginStyle = "/login.css"
)

//go:embed login.css
var loginCSS []byte

// isLogin reports whether a path is for those who have not logged in yet.
func isLogin(path string) bool { return path == loginPath || path == loginStyle }

// loginForm has the place for a message.
const loginForm = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in – rtmp-server</title>
<link rel="stylesheet" href="/login.css">
</head>
<body>
<main>
<h1>rtmp-server</h1>
%s<form method="post" action="/login">
<p><label for="token">Token (ADMIN_TOKEN)</label></p>
<p><input id="token" name="token" type="password" autocomplete="current-password" required autofocus></p>
<p><button type="submit">Log in</button></p>
</form>
</main>
</body>
</html>
`

// askForToken sends people to the form, and tells programs.
func (s *Server) askForToken(w http.ResponseWriter, r *http.Request) {
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && !isData(r.URL.Path) {
		http.Redirect(w, r, loginPath, http.StatusSeeOther)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="rtmp-server"`)
	fail(w, http.StatusUnauthorized, "The token is missing or wrong.")
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) {
	if s.door.admit(r) != refused {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	writeLogin(w, http.StatusOK, "")
}

func showLoginStyle(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, "text/css; charset=utf-8", loginCSS)
}

func writeLogin(w http.ResponseWriter, status int, message string) {
	// A form of a page without any referrer is posted with the origin "null", as
	// by another site.
	w.Header().Set("Referrer-Policy", "same-origin")
	if message != "" {
		message = `<p role="alert">` + message + "</p>\n"
	}
	write(w, status, "text/html; charset=utf-8", fmt.Appendf(nil, loginForm, message))
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if s.door.open {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	switch s.door.try(r, r.PostFormValue("token")) {
	case tryRight:
		s.door.enter(w, r)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case tryBarred:
		w.Header().Set("Retry-After", "60")
		writeLogin(w, http.StatusTooManyRequests, "There were too many wrong tokens from this address. Wait a minute.")
	default:
		writeLogin(w, http.StatusUnauthorized, "The token is wrong.")
	}
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	s.door.leave(w, r)
	http.Redirect(w, r, loginPath, http.StatusSeeOther)
}
