package admin

import (
	_ "embed" // the description of the API
	"io"
	"maps"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
)

// description is the OpenAPI document of the API.
//
//go:embed openapi.json
var description []byte

// route is what answers a method on a path.
type route struct {
	method, path string
	handle       http.HandlerFunc
}

// api is the part that openapi.json describes.
func (s *Server) api() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	return []route{
		{get, "/api/v1/status", s.getStatus},
		{get, "/api/v1/channels", s.getChannels},
		{get, "/api/v1/channels/{name}", s.getChannel},
		{del, "/api/v1/channels/{name}", s.deleteChannel},
		{post, "/api/v1/channels/{name}/reconnect", s.reconnectChannel},
		{get, "/api/v1/channels/{name}/play", s.playChannel},
		{get, "/api/v1/sessions", s.getSessions},
		{get, "/api/v1/sessions/{id}", s.getSession},
		{del, "/api/v1/sessions/{id}", s.deleteSession},
		{get, "/api/v1/ends", s.getEnds},
		{get, "/api/v1/settings", s.getSettings},
		{get, "/api/v1/events", s.serveEvents},
		{get, "/api/v1/openapi.json", describe},
	}
}

// routes returns what answers every request.
func (s *Server) routes() http.Handler {
	const get, post = http.MethodGet, http.MethodPost
	routes := append(s.api(),
		route{get, "/healthz", s.healthz},
		route{get, "/readyz", s.readyz},
		route{get, loginPath, s.showLogin},
		route{post, loginPath, s.login},
		route{get, loginStyle, showLoginStyle},
		route{post, "/logout", s.logout},
		route{get, "/debug/pprof/", pprof.Index},
		route{get, "/debug/pprof/cmdline", pprof.Cmdline},
		route{get, "/debug/pprof/profile", withoutDeadlines(http.HandlerFunc(pprof.Profile)).ServeHTTP},
		route{get, "/debug/pprof/symbol", pprof.Symbol},
		route{get, "/debug/pprof/trace", withoutDeadlines(http.HandlerFunc(pprof.Trace)).ServeHTTP},
	)
	if s.options.Metrics != nil {
		routes = append(routes, route{get, "/metrics", s.options.Metrics.ServeHTTP})
	}
	if s.options.Preview != nil {
		routes = append(routes, route{get, "/preview/{channel}", s.preview})
	}
	if s.options.Page != nil {
		routes = append(routes, route{get, "/", s.options.Page.ServeHTTP})
	}
	paths := map[string]methods{"/": {}, "/api/": {}}
	for _, route := range routes {
		if paths[route.path] == nil {
			paths[route.path] = make(methods)
		}
		paths[route.path][route.method] = route.handle
	}
	mux := http.NewServeMux()
	for path, methods := range paths {
		mux.Handle(path, methods)
	}
	return mux
}

// methods are what answers on a path. The mux could tell them apart as well, but
// its errors are no JSON.
type methods map[string]http.HandlerFunc

// ServeHTTP implements http.Handler.
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	switch handle := m[method]; {
	case handle != nil:
		handle(w, r)
	case len(m) == 0:
		fail(w, http.StatusNotFound, "There is nothing here.")
	default:
		w.Header().Set("Allow", m.allowed())
		fail(w, http.StatusMethodNotAllowed, "This cannot be done here.")
	}
}

func (m methods) allowed() string {
	names := slices.Collect(maps.Keys(m))
	if m[http.MethodGet] != nil {
		names = append(names, http.MethodHead)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func describe(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, "application/json", description)
}

// healthz says that the process is alive.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "ok\n")
}

// readyz says whether new clients are welcome.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		writeText(w, http.StatusServiceUnavailable, "draining\n")
		return
	}
	writeText(w, http.StatusOK, "ok\n")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
