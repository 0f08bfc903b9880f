package stream

import (
	"cmp"
	"slices"
	"time"
)

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
	// LowLatency counts those of them that asked to start at the live edge.
	LowLatency int
	// CacheBytes is what is kept for newcomers.
	CacheBytes int64
	// Tracks are in the order of kind and id, the picture first.
	Tracks []Track
	// Announced is what the metadata says of the media.
	Announced Announcement
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

// Announcement is what metadata says of the media to come. What it does not tell is
// 0.
type Announcement struct {
	Video, Audio bool
	// VideoBitrate and AudioBitrate are in bit/s, of what the encoder aims at.
	VideoBitrate, AudioBitrate float64
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
	// VideoBitrate and AudioBitrate are the parts of Bitrate that are media.
	VideoBitrate, AudioBitrate float64
	// KeyframeInterval is between the last two keyframes of a group's track, and
	// LongestInterval the longest so far; 0 before the second.
	KeyframeInterval, LongestInterval time.Duration
	// LastKeyframe is when such a keyframe came last, zero if none did.
	LastKeyframe time.Time
	// BFrames says that frames came which are not shown in the order they are
	// sent: some players cannot play them.
	BFrames bool
	// Stalls is how often nothing came for more than [StallAfter], and
	// LongestStall the longest time of that.
	Stalls       uint64
	LongestStall time.Duration
	// RecentStalls and RecentRepairs are how many stalls ended, and how often
	// timestamps were mended, in the last [RecentWindow]; [RecentMost] at most.
	RecentStalls, RecentRepairs int
	// LastVideo and LastAudio are when media came last, zero if none did.
	LastVideo, LastAudio time.Time
}

const (
	// FlowWindow is over how many seconds rates are taken.
	FlowWindow = 5
	// StallAfter is how long a publisher may send nothing without it counting as
	// a stall.
	StallAfter = time.Second
	// RecentWindow is what counts as recent.
	RecentWindow = time.Minute
	// RecentMost is as far as what is recent is counted.
	RecentMost = 8
)

// Channels returns what there is to know of every channel, in the order of their
// names. Nobody who publishes or plays waits for it, whatever their number.
func (r *Registry) Channels(now time.Time) []ChannelInfo {
	infos, publications := r.list()
	for i := range infos {
		if p := publications[i]; p != nil {
			p.describe(&infos[i], now)
		}
	}
	slices.SortFunc(infos, func(a, b ChannelInfo) int { return cmp.Compare(a.Name, b.Name) })
	return infos
}

// list returns every channel with its publication, nil if there is none.
func (r *Registry) list() ([]ChannelInfo, []*Publication) {
	r.mu.Lock()
	defer r.mu.Unlock()
	infos := make([]ChannelInfo, 0, len(r.channels))
	publications := make([]*Publication, 0, len(r.channels))
	for name, ch := range r.channels {
		infos = append(infos, ChannelInfo{Name: name, Interrupted: ch.interrupted != nil, Viewers: ch.viewers(), LowLatency: ch.hurried()})
		publications = append(publications, ch.publication)
	}
	return infos, publications
}

// describe adds what is known of a live channel.
func (p *Publication) describe(info *ChannelInfo, now time.Time) {
	c := &p.claim
	info.Live, info.Key, info.StreamID, info.Publisher = true, c.Key, c.StreamID, c.Address
	info.Started = c.Epoch.Add(c.At)
	info.CacheBytes = p.log.cached()
	info.Tracks, info.Announced = p.log.meter.facts(), p.log.meter.announcement()
	info.Flow = p.log.meter.flow(c.Epoch, now.Sub(c.Epoch))
	info.Repairs = p.log.Repairs()
}

// cached returns what the group for newcomers takes.
func (l *Log) cached() int64 {
	before, tail := l.entry.Load().before, l.tail.Load()
	if before == nil || tail.sequence < before.sequence {
		return 0
	}
	return int64(tail.position-before.position) + int64(tail.sequence-before.sequence)*messageOverhead
}
