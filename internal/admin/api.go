package admin

import (
	"math"
	"net/http"
	"runtime/metrics"
	"slices"
	"strconv"
	"time"
)

// Status is how the server does.
type Status struct {
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Uptime   Seconds   `json:"uptime_seconds"`
	Draining bool      `json:"draining"`
	Counts   Counts    `json:"counts"`
	Memory   Memory    `json:"memory"`
	Limits   Limits    `json:"limits"`
	Preview  bool      `json:"preview"` // whether there is one in the page
	Login    bool      `json:"login"`   // whether people log in
	// Endpoints are where encoders and players go.
	Endpoints Endpoints `json:"endpoints"`
}

// Endpoints are where clients go: a port of 0 is not open.
type Endpoints struct {
	// Host is the name that the operator gave the server, empty if it has none:
	// whoever reaches the administration knows one by which it can be reached.
	Host  string `json:"host"`
	RTMP  int    `json:"rtmp_port"`
	RTMPS int    `json:"rtmps_port"`
	HTTP  int    `json:"http_port"`
	HTTPS int    `json:"https_port"`
}

// Memory is what the process takes, in bytes.
type Memory struct {
	Heap       uint64 `json:"heap_bytes"`  // of live and dead objects
	Total      uint64 `json:"total_bytes"` // from the system
	Goroutines uint64 `json:"goroutines"`
}

// readMemory does not stop the program, as runtime.ReadMemStats does.
func readMemory() Memory {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/sched/goroutines:goroutines"},
	}
	metrics.Read(samples)
	return Memory{samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64()}
}

func (s *Server) status() Status {
	return Status{
		Version:  s.options.Version,
		Started:  s.started,
		Uptime:   Seconds(time.Since(s.started)),
		Draining: s.draining.Load(),
		Counts:   s.options.Source.Counts(),
		Memory:   readMemory(),
		Limits:   s.options.Source.Limits(),
		Preview:  s.options.Preview != nil,
		Login:    !s.door.open,

		Endpoints: s.options.Endpoints,
	}
}

// channels returns what there is, without anything that JSON would have as null.
func (s *Server) channels() []Channel {
	channels := s.options.Source.Channels()
	for i := range channels {
		c := &channels[i]
		c.Tracks = orEmpty(c.Tracks)
		c.Health.Bitrate = finite(c.Health.Bitrate)
		c.Health.FrameRate = finite(c.Health.FrameRate)
		c.Health.Warnings = orEmpty(c.Health.Warnings)
		for k := range c.Tracks {
			c.Tracks[k].FrameRate = finite(c.Tracks[k].FrameRate)
		}
	}
	return orEmpty(channels)
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// finite stands for numbers of encoders that JSON has not: metadata may say that a
// stream has infinitely many pictures a second.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// channelList is the first part of a list, with the length of all of it.
type channelList struct {
	Channels []Channel `json:"channels"`
	Total    int       `json:"total"`
}

// state is what listeners hear every second.
type state struct {
	Status Status `json:"status"`
	channelList
}

func (s *Server) state() any {
	return state{s.status(), listChannels(s.channels(), usuallyListed)}
}

func listChannels(all []Channel, limit int) channelList {
	return channelList{all[:min(limit, len(all))], len(all)}
}

func (s *Server) getStatus(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.status())
}

func (s *Server) getChannels(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(r, usuallyListed, maxListed)
	if !ok {
		failLimit(w, maxListed)
		return
	}
	answer(w, listChannels(s.channels(), limit))
}

func (s *Server) getChannel(w http.ResponseWriter, r *http.Request) {
	channels := s.channels()
	i := slices.IndexFunc(channels, func(c Channel) bool { return c.Name == r.PathValue("name") })
	if i < 0 {
		failChannel(w)
		return
	}
	answer(w, channels[i])
}

func (s *Server) getSessions(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(r, usuallyListed, maxListed)
	if !ok {
		failLimit(w, maxListed)
		return
	}
	sessions := orEmpty(s.options.Source.Sessions())
	if query := r.URL.Query(); query.Has("channel") {
		sessions = slices.DeleteFunc(sessions, func(session Session) bool { return session.Channel != query.Get("channel") })
	}
	answer(w, struct {
		Sessions []Session `json:"sessions"`
		Total    int       `json:"total"`
	}{sessions[:min(limit, len(sessions))], len(sessions)})
}

func (s *Server) getSession(w http.ResponseWriter, r *http.Request) {
	sessions := s.options.Source.Sessions()
	i := slices.IndexFunc(sessions, func(session Session) bool { return session.ID == r.PathValue("id") })
	if i < 0 {
		failSession(w)
		return
	}
	answer(w, sessions[i])
}

func (s *Server) getEnds(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(r, keptEnds, keptEnds)
	if !ok {
		failLimit(w, keptEnds)
		return
	}
	answer(w, struct {
		Ends []End `json:"ends"`
	}{s.ends.newest(limit)})
}

func (s *Server) getSettings(w http.ResponseWriter, _ *http.Request) {
	answer(w, struct {
		Settings []Setting `json:"settings"`
	}{orEmpty(s.options.Source.Settings())})
}

// limitOf returns how much a request wants of a list.
func limitOf(r *http.Request, usual, most int) (limit int, ok bool) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return usual, true
	}
	limit, err := strconv.Atoi(text)
	return limit, err == nil && limit >= 1 && limit <= most
}

func failLimit(w http.ResponseWriter, most int) {
	fail(w, http.StatusBadRequest, "The limit is no number from 1 to "+strconv.Itoa(most)+".")
}

func failChannel(w http.ResponseWriter) {
	fail(w, http.StatusNotFound, "Nobody publishes, plays or waits on a channel of this name.")
}

func failSession(w http.ResponseWriter) {
	fail(w, http.StatusNotFound, "There is no session of this id.")
}
