package stream

import "time"

// ChannelInfo is what an operator can know of a channel, at one moment.
type ChannelInfo struct {
	// Name and Key are as the publisher gave them: whoever shows a key masks it.
	// A channel that is not live has no key.
	Name, Key string
	// Live says that somebody publishes. Interrupted says that the publisher was
	// cut off and is expected back.
	Live, Interrupted bool
	// StreamID is what close-stream commands name the publication by.
	StreamID string
	// Publisher is the address that [Claim.Address] gave.
	Publisher string
	// Started is when the publication began, zero if the channel is not live.
	Started time.Time
	// Viewers counts players, also those that wait.
	Viewers int
	// CacheBytes is what is kept for newcomers.
	CacheBytes int64
	// Tracks are in the order of kind and id, the picture first.
	Tracks []Track
	// Flow is how the media comes, and Repairs what was wrong with its time.
	Flow    Flow
	Repairs Repairs
}

// Track is what the publisher says of one track. A number that is not known is 0.
type Track struct {
	// Kind is "video" or "audio".
	Kind string
	// ID tells the tracks of a kind apart; it is 0 for the only one.
	ID uint8
	// Codec is its name, as media.Codec spells it.
	Codec         string
	Width, Height int
	// FrameRate is in frames a second, as the metadata announces it.
	FrameRate float64
	// SampleRate is in Hz.
	SampleRate, Channels int
}

// Flow is how the media of a publication comes, by its arrivals. Counts are from
// the beginning.
type Flow struct {
	Bytes                              uint64
	VideoMessages, AudioMessages, Data uint64
	Keyframes                          uint64
	// Bitrate is in bit/s, of the payloads, and FrameRate in video frames a
	// second of all tracks: over the last [FlowWindow] whole seconds.
	Bitrate, FrameRate float64
	// KeyframeInterval is between the last two keyframes of a group's track, and
	// LongestInterval the longest so far; 0 before the second.
	KeyframeInterval, LongestInterval time.Duration
	// BFrames says that frames came which are not shown in the order they are
	// sent: some players cannot play them.
	BFrames bool
	// Stalls is how often nothing came for more than [StallAfter], and
	// LongestStall the longest time of that.
	Stalls       uint64
	LongestStall time.Duration
	// LastVideo and LastAudio are when media came last, zero if none did.
	LastVideo, LastAudio time.Time
}

const (
	// FlowWindow is over how many seconds rates are taken.
	FlowWindow = 5
	// StallAfter is how long a publisher may send nothing without it counting as
	// a stall.
	StallAfter = time.Second
)
