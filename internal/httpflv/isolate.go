package httpflv

import (
	"net/http"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// A panic ends the viewer in whose work it happened, and nothing else. Each
// goroutine of a viewer, each timer and each request defers one of the following.

// panicked ends the viewer because of a panic, and tells the log.
func (v *viewer) panicked(value any) {
	v.end(stream.ReasonInternal)
	v.server.options.Panics.Caught(v.log, value)
}

// contain is for what has nothing to clean up.
func (v *viewer) contain() {
	if p := recover(); p != nil {
		v.panicked(p)
	}
}

// isolate is for whoever has the turn, which is not given back.
func (v *viewer) isolate() {
	if p := recover(); p != nil {
		v.panicked(p)
		v.out.cut()
		close(v.done)
	}
}

// contained is for timers.
func (v *viewer) contained(do func()) func() {
	return func() {
		defer v.contain()
		do()
	}
}

// isolated is for requests. What they leave behind is for them to clean up.
func (s *Server) isolated(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				s.options.Panics.Caught(s.options.Log, p)
				answer(w, http.StatusInternalServerError)
			}
		}()
		serve(w, r)
	}
}
