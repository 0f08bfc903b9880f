package admin

import (
	"encoding/json"
	"net/netip"
	"time"
)

// Key is a stream key. As JSON and as text it is masked, so that it cannot get
// out by accident.
type Key string

// maskedFrom is the length from which four characters of a key tell nothing of
// use about the rest.
const maskedFrom = 12

const ellipsis = "…"

// String returns enough of the key to tell it from another.
func (k Key) String() string {
	switch {
	case k == "":
		return ""
	case len(k) < maskedFrom:
		return ellipsis
	}
	return string(k[:2]) + ellipsis + string(k[len(k)-2:])
}

// MarshalText implements [encoding.TextMarshaler].
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Counts is how much there is of what, now.
type Counts struct {
	Connections int `json:"connections"`
	Channels    int `json:"channels"` // live or waited for
	Live        int `json:"live"`     // channels that are published
	Publishers  int `json:"publishers"`
	Players     int `json:"players"`
}

// Limits is how much there may be; 0 means that there is no limit.
type Limits struct {
	Connections      int   `json:"connections"`
	ConnectionsPerIP int   `json:"connections_per_ip"`
	CachePerChannel  int64 `json:"cache_bytes_per_channel"` // 0: no cache
}

// Channel is a channel that is live or waited for.
type Channel struct {
	Name string `json:"name"`
	Key  Key    `json:"key"` // empty while it is not live
	Live bool   `json:"live"`
	// Interrupted says that the publisher was cut off and is expected back.
	Interrupted bool      `json:"interrupted"`
	StreamID    string    `json:"stream_id"`
	Publisher   string    `json:"publisher"` // address
	Session     string    `json:"session"`   // id of the publisher's
	Client      string    `json:"client"`    // what the encoder calls itself
	Started     time.Time `json:"started,omitzero"`
	Viewers     int       `json:"viewers"`

	CacheBytes int64   `json:"cache_bytes"`
	Tracks     []Track `json:"tracks"`
	Health     Health  `json:"health"`
}

// Track is what a channel has one or several of; what is not known is 0 or empty.
type Track struct {
	Kind       string  `json:"kind"` // video, audio or data
	ID         int     `json:"id"`
	Codec      string  `json:"codec"`
	Width      int     `json:"width"`
	Height     int     `json:"height"`
	FrameRate  float64 `json:"frame_rate"`
	SampleRate int     `json:"sample_rate"`
	Channels   int     `json:"channels"`
}

// Health is how the media of a channel comes, since its beginning unless it says
// otherwise.
type Health struct {
	Bytes           uint64    `json:"bytes"`
	Bitrate         float64   `json:"bitrate"`    // bits a second, of late
	FrameRate       float64   `json:"frame_rate"` // pictures a second, of late
	Keyframes       uint64    `json:"keyframes"`
	KeyframeEvery   Seconds   `json:"keyframe_interval_seconds"` // the last one
	LongestKeyframe Seconds   `json:"longest_keyframe_interval_seconds"`
	BFrames         bool      `json:"b_frames"`
	Stalls          uint64    `json:"stalls"` // how often nothing came for a while
	LongestStall    Seconds   `json:"longest_stall_seconds"`
	TimestampJumps  uint64    `json:"timestamp_jumps"`
	LastVideo       time.Time `json:"last_video,omitzero"`
	LastAudio       time.Time `json:"last_audio,omitzero"`
	// Warnings are a sentence each, for what breaks streams.
	Warnings []string `json:"warnings"`
}

// Session is a publisher or a player.
type Session struct {
	ID          string         `json:"id"`       // of letters, digits, - and _
	Kind        string         `json:"kind"`     // publisher, player or, among ends, refused
	Protocol    string         `json:"protocol"` // rtmp, rtmps, http-flv or ws-flv
	Channel     string         `json:"channel"`
	Key         Key            `json:"key"`
	Address     netip.AddrPort `json:"address"`
	Client      string         `json:"client"`
	Started     time.Time      `json:"started,omitzero"`
	Live        bool           `json:"live"`
	BytesIn     uint64         `json:"bytes_in"`
	BytesOut    uint64         `json:"bytes_out"`
	MessagesIn  uint64         `json:"messages_in"`
	MessagesOut uint64         `json:"messages_out"`
	Lag         Seconds        `json:"lag_seconds"`
	Skipped     uint64         `json:"skipped"` // messages
	Skips       uint64         `json:"skips"`   // times
	StreamID    string         `json:"stream_id"`
}

// End is a session that has ended.
type End struct {
	Session
	Ended  time.Time `json:"ended"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail"`
}

// Seconds is a duration that is a number of seconds as JSON.
type Seconds time.Duration

// MarshalJSON implements [json.Marshaler].
func (s Seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

// Setting is a setting in effect.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"` // of a secret, not what it is
}
