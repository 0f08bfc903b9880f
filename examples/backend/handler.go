package main

import (
	"crypto/rand"
	"log/slog"
	"net/http"
)

// handler answers events. It logs one line for each, without the stream key.
type handler struct {
	verifier verifier
	keys     keyFile
	log      *slog.Logger
}

// newHandler returns a handler for the events that are signed with secret.
func newHandler(secret []byte, keys keyFile, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /", &handler{newVerifier(secret), keys, log})
	return mux
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := h.verifier.verify(r.Header.Get("rtmp-event"))
	if err != nil {
		h.log.Warn("event refused", "from", r.RemoteAddr, "reason", err)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	log := h.log.With("channel", e.Channel, "client_ip", e.ClientIP)
	if e.Name == eventStop {
		// A real backend would mark the stream as ended here, if it is not yet.
		log.Info("stop", "stream_id", e.StreamID)
		return
	}
	status, streamID := h.start(e, log)
	if status == http.StatusOK {
		w.Header().Set("stream-id", streamID)
	}
	w.WriteHeader(status)
}

// start decides whether e may publish, and as which stream.
func (h *handler) start(e event, log *slog.Logger) (status int, streamID string) {
	keys, err := h.keys.read()
	switch {
	case err != nil:
		log.Error("start refused", "reason", err)
		return http.StatusInternalServerError, ""
	case !keys.match(e.Channel, e.Key):
		log.Warn("start refused", "reason", "unknown channel or wrong key")
		return http.StatusForbidden, ""
	}
	streamID = rand.Text()
	log.Info("start accepted", "stream_id", streamID)
	return http.StatusOK, streamID
}
