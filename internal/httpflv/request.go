package httpflv

import (
	"net/http"
	"strings"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// contentType is what FLV is served as.
const contentType = "video/x-flv"

// extension is how the paths of viewers end.
const extension = ".flv"

// wantsMedia reports whether a request is meant for this server.
func wantsMedia(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, extension) }

// request is what a viewer asked for.
type request struct {
	channel, key string
	// trusted is set for a preview, which needs no key.
	trusted      bool
	start        stream.Start
	capabilities media.Capabilities
}

// parseRequest reads /CHANNEL/KEY.flv and what the query wishes for. A mistake in
// the query is nobody's loss: players add what is not for this server.
func (s *Server) parseRequest(r *http.Request) (request, bool) {
	name, isFLV := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), extension)
	channel, key, _ := strings.Cut(name, "/")
	if !isFLV || !s.validID(channel) || !s.validID(key) {
		return request{}, false
	}
	return s.wish(request{channel: channel, key: key}, r), true
}

func (s *Server) validID(id string) bool {
	if id == "" || len(id) > s.options.IDMaxLength {
		return false
	}
	for i := range len(id) {
		if !idCharacter(id[i]) {
			return false
		}
	}
	return true
}

func idCharacter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// wish adds what the query asks for, in the words that players of RTMP have too.
func (s *Server) wish(q request, r *http.Request) request {
	q.capabilities = media.Capabilities{Restricted: true, Enhanced: s.options.Enhanced, HEVC: s.options.HEVC}
	for arg := range strings.SplitSeq(r.URL.RawQuery, "&") {
		switch arg {
		case "cache=no":
			q.start = stream.AtLive
		case "tracks=all":
			q.capabilities.Multitrack = true
			q.capabilities.Enhanced = media.AllCodecs
		case "enhanced=yes":
			q.capabilities.Enhanced = media.AllCodecs
		case "enhanced=no":
			q.capabilities.Enhanced = 0
		case "hevc=fourcc":
			q.capabilities.Enhanced |= media.CodecSet(media.H265)
			q.capabilities.HEVC = media.HEVCByFourCC
		case "hevc=legacy":
			q.capabilities.HEVC = media.HEVCByCodecID
		}
	}
	return q
}

// permit writes the header that lets a page read the answer (Fetch standard,
// section 3.3), and reports whether its origin is one that may play: a WebSocket
// has no such header, and is opened for whoever asks.
func (s *Server) permit(h http.Header, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	switch s.options.Origin {
	case "":
		return origin == "" || sameOrigin(origin, r)
	case "*":
		h.Set("Access-Control-Allow-Origin", "*")
		return true
	default:
		h.Set("Access-Control-Allow-Origin", s.options.Origin)
		h.Set("Vary", "Origin")
		return origin == "" || sameOrigin(origin, r) || strings.EqualFold(origin, s.options.Origin)
	}
}

// sameOrigin reports whether a page comes from the host that it asks.
func sameOrigin(origin string, r *http.Request) bool {
	_, host, _ := strings.Cut(origin, "://")
	return strings.EqualFold(host, r.Host)
}

// preflight answers what a page asks before a request with headers of its own.
func preflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", allowedMethods)
	h.Set("Access-Control-Allow-Headers", "*")
	h.Set("Access-Control-Max-Age", "86400")
	h.Set("Allow", allowedMethods)
	w.WriteHeader(http.StatusNoContent)
}

const allowedMethods = "GET, HEAD, OPTIONS"

// wantsWebSocket reports whether a request is one to open a WebSocket.
func wantsWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}
