package stream

import (
	"slices"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// meter watches how the media of a log comes. Times are arrivals.
type meter struct {
	mu sync.Mutex // guards what follows, for as long as it takes to count or to copy

	counts Flow // without what Flow computes
	// begun says that there was media: first and latest are then when.
	begun         bool
	first, latest time.Duration
	// arrivals are the latest of each kind, never before the first.
	arrivals [2]time.Duration
	// keyframe is the timestamp of the latest one, if there was one, and keyed when
	// it came.
	keyframe uint32
	keyed    time.Duration
	seconds  [FlowWindow + 1]second

	tracks []Track
	// met has a bit for each of the tracks that had a frame.
	met       [2]uint32
	announced rtmp.Announced
	// stalls and repairs are the latest of each, and repaired how many repairs
	// there were.
	stalls, repairs latest
	repaired        uint64
}

// second is what came within one second of the clock.
type second struct {
	number int64
	bytes  uint64
	frames uint64
	kinds  [2]uint64 // bytes of each kind
}

func newMeter() *meter { return &meter{arrivals: [2]time.Duration{never, never}} }

// media counts an audio or video message of so many bytes, with the timestamp
// that viewers get.
func (m *meter) media(p media.Packet, size int, timestamp uint32, groupStart bool, now time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.arrive(p.Kind, now)
	s := m.second(now)
	s.bytes += uint64(size)
	s.kinds[p.Kind] += uint64(size)
	m.counts.Bytes += uint64(size)
	if p.Kind == media.Audio {
		m.counts.AudioMessages++
	} else {
		m.counts.VideoMessages++
	}
	if p.Type != media.Frame {
		return
	}
	if !p.Multi && p.Track < maxTracks && m.met[p.Kind]&(1<<p.Track) == 0 {
		m.meet(p)
	}
	if p.Kind == media.Video {
		s.frames++
		m.counts.BFrames = m.counts.BFrames || p.CompositionTime > 0
	}
	if groupStart {
		m.key(timestamp)
		m.keyed = now
	}
}

// mended notes how often timestamps were mended so far.
func (m *meter) mended(times uint64, now time.Duration) {
	if times == m.repaired { // which is the publisher's alone
		return
	}
	m.repaired = times
	m.mu.Lock()
	defer m.mu.Unlock()
	m.repairs.note(now)
}

// data counts a data message.
func (m *meter) data(size int, now time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.Data++
	m.counts.Bytes += uint64(size)
	if m.begun {
		m.second(now).bytes += uint64(size)
	}
}

// arrive notes that media came, and whether it had been missing. The lock is held,
// as in what follows.
func (m *meter) arrive(kind media.Kind, now time.Duration) {
	if !m.begun {
		m.begun, m.first, m.latest = true, now, now
	}
	if gap := now - m.latest; gap > StallAfter {
		m.counts.Stalls++
		m.stalls.note(now)
		m.counts.LongestStall = max(m.counts.LongestStall, gap)
	}
	m.latest, m.arrivals[kind] = now, now
}

func (m *meter) second(now time.Duration) *second {
	number := int64(now / time.Second)
	s := &m.seconds[uint64(number)%uint64(len(m.seconds))]
	if s.number != number {
		*s = second{number: number}
	}
	return s
}

// key measures from keyframe to keyframe in the time of the stream: arrivals come
// in bursts.
func (m *meter) key(timestamp uint32) {
	if m.counts.Keyframes > 0 {
		interval := time.Duration(timestamp-m.keyframe) * time.Millisecond
		m.counts.KeyframeInterval = interval
		m.counts.LongestInterval = max(m.counts.LongestInterval, interval)
	}
	m.counts.Keyframes++
	m.keyframe = timestamp
}

// meet notes the track of a frame that came without a sequence header, as those of
// MP3 do.
func (m *meter) meet(p media.Packet) {
	m.met[p.Kind] |= 1 << p.Track
	if i, known := m.find(p.Kind, p.Track); !known {
		m.tracks = slices.Insert(m.tracks, i, Track{Kind: p.Kind.String(), ID: p.Track, Codec: p.Codec.String()})
	}
}

// find returns the place of a track among the others.
func (m *meter) find(kind media.Kind, id uint8) (int, bool) {
	name := kind.String()
	for i := range m.tracks {
		t := &m.tracks[i]
		if t.Kind == name && t.ID >= id || t.Kind < name {
			return i, t.Kind == name && t.ID == id
		}
	}
	return len(m.tracks), false
}

// describe reads a header that is new.
func (m *meter) describe(h header) {
	switch {
	case h.kind == rtmp.TypeData:
		announced := rtmp.ParseAnnounced(h.payload)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.announced = announced
	case h.packet == media.SequenceHeader:
		t := trackOf(h)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.put(mediaKind(h.kind), t)
	}
}

func (m *meter) put(kind media.Kind, t Track) {
	if i, known := m.find(kind, t.ID); known {
		m.tracks[i] = t
	} else {
		m.tracks = slices.Insert(m.tracks, i, t)
	}
}

// trackOf is what a sequence header says, as far as it can be read.
func trackOf(h header) Track {
	t := Track{Kind: mediaKind(h.kind).String(), ID: h.track}
	if h.kind == rtmp.TypeVideo {
		c, _ := media.ParseVideoConfig(h.payload)
		t.Codec, t.Width, t.Height = c.Codec.String(), c.Width, c.Height
	} else {
		c, _ := media.ParseAudioConfig(h.payload)
		t.Codec, t.SampleRate, t.Channels = c.Codec.String(), c.SampleRate, c.Channels
	}
	return t
}

// flow returns what was counted, with the rates of the seconds before now. Times
// count from epoch.
func (m *meter) flow(epoch time.Time, now time.Duration) Flow {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.counts
	for kind, at := range [2]*time.Time{media.Audio: &f.LastAudio, media.Video: &f.LastVideo} {
		if m.arrivals[kind] != never {
			*at = epoch.Add(m.arrivals[kind])
		}
	}
	if f.Keyframes > 0 {
		f.LastKeyframe = epoch.Add(m.keyed)
	}
	f.RecentStalls, f.RecentRepairs = m.stalls.within(now), m.repairs.within(now)
	if m.begun {
		m.rates(&f, int64(now/time.Second))
	}
	return f
}

// rates fills the rates in. They leave the second out that is not over, and the one
// that the publication began in, unless there is no other.
func (m *meter) rates(f *Flow, present int64) {
	from := max(present-FlowWindow, int64(m.first/time.Second)+1)
	if from >= present {
		from = present - 1
	}
	var sum second
	for i := range m.seconds {
		if s := &m.seconds[i]; from <= s.number && s.number < present {
			sum.bytes += s.bytes
			sum.frames += s.frames
			sum.kinds[media.Audio] += s.kinds[media.Audio]
			sum.kinds[media.Video] += s.kinds[media.Video]
		}
	}
	n := float64(present - from)
	rate := func(bytes uint64) float64 { return 8 * float64(bytes) / n }
	f.Bitrate, f.FrameRate = rate(sum.bytes), float64(sum.frames)/n
	f.VideoBitrate, f.AudioBitrate = rate(sum.kinds[media.Video]), rate(sum.kinds[media.Audio])
}

// announcement is what the metadata says, as far as it is of use.
func (m *meter) announcement() Announcement {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.announced
	return Announcement{Video: a.Video, Audio: a.Audio, VideoBitrate: a.VideoRate, AudioBitrate: a.AudioRate}
}

// facts returns the tracks. What only the metadata tells is that of the only video
// track.
func (m *meter) facts() []Track {
	m.mu.Lock()
	defer m.mu.Unlock()
	tracks := slices.Clone(m.tracks)
	if len(tracks) > 0 && tracks[0].Kind == media.Video.String() && (len(tracks) == 1 || tracks[1].Kind != tracks[0].Kind) {
		t := &tracks[0]
		t.FrameRate = m.announced.FrameRate
		if t.Width == 0 {
			t.Width, t.Height = int(m.announced.Width), int(m.announced.Height)
		}
	}
	return tracks
}
