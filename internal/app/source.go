package app

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/admin"
	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/httpflv"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// source is what the parts of the server say to the administration.
type source struct {
	registry *stream.Registry
	server   *server.Server
	http     *httpflv.Server
	health   *healthWatch
	settings config.Settings
	limit    int // of connections
	metrics  http.Handler
}

// Counts implements admin.Source.
func (s *source) Counts() admin.Counts {
	counts := admin.Counts{Connections: s.server.Connections()}
	for _, c := range s.registry.Channels(time.Now()) {
		counts.Channels++
		if c.Live {
			counts.Live++
			counts.Publishers++
		}
		counts.Players += c.Viewers
	}
	return counts
}

// Limits implements admin.Source.
func (s *source) Limits() admin.Limits {
	return admin.Limits{
		Connections:      s.limit,
		ConnectionsPerIP: s.settings.MaxConnectionsPerIP,
		CachePerChannel:  s.settings.CacheBytes,
	}
}

// Channels implements admin.Source.
func (s *source) Channels() []admin.Channel {
	publishers := make(map[string]stream.Session)
	for _, session := range s.server.Sessions() {
		if session.Kind == stream.KindPublisher {
			publishers[session.StreamID] = session
		}
	}
	infos := s.registry.Channels(time.Now())
	channels := make([]admin.Channel, len(infos))
	for i, info := range infos {
		channels[i] = channelOf(info, publishers[info.StreamID])
		channels[i].Health.Warnings = s.health.texts(info.Name)
	}
	slices.SortFunc(channels, func(a, b admin.Channel) int { return cmp.Compare(a.Name, b.Name) })
	return channels
}

// channelOf joins what the registry knows of a channel to what the server knows of
// its publisher.
func channelOf(c stream.ChannelInfo, publisher stream.Session) admin.Channel {
	tracks := make([]admin.Track, len(c.Tracks))
	for i, t := range c.Tracks {
		tracks[i] = admin.Track{
			Kind: t.Kind, ID: int(t.ID), Codec: t.Codec, Width: t.Width, Height: t.Height,
			FrameRate: t.FrameRate, SampleRate: t.SampleRate, Channels: t.Channels,
		}
	}
	f := c.Flow
	return admin.Channel{
		Name: c.Name, Key: admin.Key(c.Key), Live: c.Live, Interrupted: c.Interrupted, StreamID: c.StreamID,
		Publisher: c.Publisher, Session: publisher.ID, Client: publisher.Client, Started: c.Started, Viewers: c.Viewers,
		CacheBytes: c.CacheBytes, Tracks: tracks,
		Health: admin.Health{
			Bytes: f.Bytes, Bitrate: f.Bitrate, FrameRate: f.FrameRate, Keyframes: f.Keyframes,
			KeyframeEvery: admin.Seconds(f.KeyframeInterval), LongestKeyframe: admin.Seconds(f.LongestInterval),
			BFrames: f.BFrames, Stalls: f.Stalls, LongestStall: admin.Seconds(f.LongestStall),
			TimestampJumps: c.Repairs.Jumps, LastVideo: f.LastVideo, LastAudio: f.LastAudio, Warnings: []string{},
		},
	}
}

// Sessions implements admin.Source.
func (s *source) Sessions() []admin.Session {
	all := slices.Concat(s.server.Sessions(), s.http.Sessions())
	slices.SortFunc(all, func(a, b stream.Session) int { return a.Started.Compare(b.Started) })
	sessions := make([]admin.Session, len(all))
	for i, session := range all {
		sessions[i] = sessionOf(session)
	}
	return sessions
}

func sessionOf(s stream.Session) admin.Session {
	return admin.Session{
		ID: s.ID, Kind: string(s.Kind), Protocol: string(s.Protocol), Channel: s.Channel, Key: admin.Key(s.Key),
		Address: s.Address, Client: s.Client, Started: s.Started, Live: s.Live,
		BytesIn: s.BytesIn, BytesOut: s.BytesOut, MessagesIn: s.MessagesIn, MessagesOut: s.MessagesOut,
		Lag: admin.Seconds(s.Lag), Skipped: s.Skipped, Skips: s.Skips, StreamID: s.StreamID,
	}
}

// Kick implements admin.Source.
func (s *source) Kick(id string) bool { return s.server.Kick(id) || s.http.Kick(id) }

// Settings implements admin.Source.
func (s *source) Settings() []admin.Setting {
	attrs := s.settings.Effective()
	settings := make([]admin.Setting, len(attrs))
	for i, a := range attrs {
		settings[i] = admin.Setting{Name: a.Key, Value: a.Value.String()}
	}
	return settings
}

// CloseChannel implements admin.Source.
func (s *source) CloseChannel(name string) int { return s.registry.KillSession(name) }

// RequestReconnect implements admin.Source.
func (s *source) RequestReconnect(name, url string) int {
	return s.registry.RequestReconnect(name, url)
}

// ended tells all who want to know of the end of a session.
func (a *App) ended(e stream.End) {
	a.metrics.Ended(e)
	if a.admin != nil {
		a.admin.Ended(admin.End{
			Session: sessionOf(e.Session), Ended: e.Ended, Reason: string(e.Reason), Detail: e.Detail,
		})
	}
}
