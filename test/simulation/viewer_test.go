package simulation

import (
	"fmt"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// viewing is one play of a player: what it was sent, and what it may be sent.
type viewing struct {
	w            *world
	name         string
	channel, key string
	query        string
	kind         client

	started, over, paused bool
	// resuming says that the server has not said yet that it heard of the end of
	// a pause.
	resuming bool
	// live says what the player was told last.
	live bool
	// since is when it was last known to read and to want everything; zero if
	// it does not.
	since time.Time
	// loosened says that it has been slow, or paused, and atLive that it begins
	// with what is published next.
	loosened, atLive bool

	// source is the publication that the latest media is of, and past all of
	// them.
	source uint32
	past   map[uint32]bool
	order  uint32
	tracks map[trackID]*received
	clocks map[string]uint32
	heard  bool // anything with a timestamp
}

// received is what a viewer has of a track of one publication.
type received struct {
	number, version uint32
	// checked is how many frames there were when the viewer was last looked at,
	// and synced says that it had the last of them.
	checked uint32
	known   bool
	synced  bool
	// flowing says that there was a frame since the viewer was too slow or paused.
	flowing bool
}

func (v *viewing) track(id trackID) *received {
	t := v.tracks[id]
	if t == nil {
		t = new(received)
		v.tracks[id] = t
	}
	return t
}

// loosen says that from now on the viewer may miss something.
func (v *viewing) loosen() {
	v.since, v.loosened = time.Time{}, true
	for _, t := range v.tracks {
		t.synced, t.known, t.flowing = false, false, false
	}
}

func (v *viewing) violate(format string, args ...any) {
	v.w.violate(v.name+" on "+v.channel+"/"+v.key+": "+format, args...)
}

func (v *viewing) complain(format string, args ...any) {
	v.w.complain(v.name+" on "+v.channel+"/"+v.key+": "+format, args...)
}

// receive looks at an audio, video or data message. The world is locked.
func (v *viewing) receive(m rtmp.Message) {
	switch m.Type {
	case rtmp.TypeData:
		v.receiveData(m)
	case rtmp.TypeAudio:
		v.receiveTracks(m, media.Audio)
	case rtmp.TypeVideo:
		v.receiveTracks(m, media.Video)
	}
}

func (v *viewing) receiveData(m rtmp.Message) {
	d := amf.NewDecoder(m.Payload, amf.CommandLimits)
	_, _ = d.Decode()
	value, _ := d.Decode()
	properties, _ := amf.Properties(value)
	value, _ = properties.Get("source")
	id, ok := amf.AsNumber(value)
	if !ok {
		v.violate("metadata without its source: %v", properties)
		return
	}
	v.follow(uint32(id))
	if !v.heard && m.Timestamp == 0 {
		v.heard = true // what comes first is at 0, whatever follows
		return
	}
	v.tick("data", m.Timestamp)
}

// receiveTracks takes a message of several tracks apart.
func (v *viewing) receiveTracks(m rtmp.Message, kind media.Kind) {
	tracks, err := media.Split(kind, m.Payload)
	if err != nil {
		v.violate("%v that cannot be taken apart: %v", m.Type, err)
	}
	for _, t := range tracks {
		m.Payload = t.Payload
		v.receiveMedia(m, kind)
	}
}

func (v *viewing) receiveMedia(m rtmp.Message, kind media.Kind) {
	p := media.Inspect(kind, m.Payload)
	k, ok := readMark(m.Payload)
	if !ok {
		v.violate("%v that nobody published: %x", m.Type, m.Payload)
		return
	}
	s := v.follow(k.Source)
	id := trackID{kind, p.Track}
	if s != nil && !v.takes(s, id) {
		v.violate("track %v of %d, which it does not take", id, s.id)
	}
	t, clock := v.track(id), fmt.Sprintf("%v %d", m.Type, p.Track)
	if k.Number == 0 {
		if p.Type != media.SequenceHeader {
			v.violate("a header came as %v", p.Type)
		}
		t.version = k.Version
		v.checkClock(clock, m.Timestamp, maxSkew)
		return
	}
	v.tick(clock, m.Timestamp)
	v.receiveFrame(id, t, k, p)
}

// receiveFrame checks that frames come in order, with the headers that they need,
// and in whole groups.
func (v *viewing) receiveFrame(id trackID, t *received, k mark, p media.Packet) {
	switch {
	case p.Type != media.Frame:
		v.violate("a frame came as %v", p.Type)
	case k.Order <= v.order:
		v.violate("frame %d of %v came behind the one in place %d", k.Number, id, v.order)
	case t.version != k.Version:
		v.violate("frame %d of %v needs header %d, and there was %d", k.Number, id, k.Version, t.version)
	case id.kind == media.Video && !p.Keyframe && t.number+1 != k.Number:
		v.violate("broken group: frame %d of %v behind frame %d", k.Number, id, t.number)
	case t.synced && t.number+1 != k.Number:
		v.violate("frame %d of %v behind frame %d, although it reads", k.Number, id, t.number)
	}
	t.number, t.flowing, v.order = k.Number, true, k.Order
}

// follow goes on to the publication that media is of, which must not be one that
// was over for this viewer.
func (v *viewing) follow(id uint32) *source {
	s := v.w.sources[id]
	if s == nil || s.channel != v.channel || s.key != v.key {
		v.violate("media of source %d, which is not published there", id)
		return nil
	}
	v.live = true
	if id != v.source {
		if v.past[id] {
			v.violate("media of source %d, which had ended", id)
		}
		v.source, v.past[id], v.order = id, true, 0
		clear(v.tracks)
	}
	return s
}

// tick checks that time does not run backwards, and moves on.
func (v *viewing) tick(clock string, timestamp uint32) {
	v.checkClock(clock, timestamp, 0)
	v.clocks[clock] = timestamp
}

// checkClock is all there is for a header. One that is sent again has the time of
// the message that it stands behind or in front of, of whatever track that is: it
// may be off by as much as the tracks are apart.
func (v *viewing) checkClock(clock string, timestamp, tolerance uint32) {
	if last, ok := v.clocks[clock]; ok && int32(timestamp+tolerance-last) < 0 {
		v.violate("%s at %d behind one at %d", clock, timestamp, last)
	}
	v.heard = true
}
