package bench

import (
	"bytes"
	"encoding/binary"
)

// marker is what each synthetic frame tells of itself.
type marker struct {
	// source tells streams and runs apart: the number of the stream in the
	// lowest 20 bits, the run above.
	source uint64
	// seq counts the frames of one kind, audio or video, from 1.
	seq uint64
	// sent is when the frame was handed to the kernel, in microseconds of Unix
	// time.
	sent int64
}

// markerID begins every marker: the UUID of an unregistered user data message
// (H.264 section D.1.7).
var markerID = []byte("rtmp-bench-mark1")

const (
	// markerSize is the UUID and three words.
	markerSize = 16 + 3*8
	// audioMarkerAt and videoMarkerAt are where the marker lies in a message:
	// behind the AAC header and the head of a data stream element, and behind
	// the AVC header, the length of the SEI NAL unit and the head of it.
	audioMarkerAt = 2 + 2
	videoMarkerAt = 5 + 4 + 3
)

// put writes the marker over the first markerSize bytes of dst.
func (m marker) put(dst []byte) {
	copy(dst, markerID)
	binary.BigEndian.PutUint64(dst[16:], spread(m.source))
	binary.BigEndian.PutUint64(dst[24:], spread(m.seq))
	binary.BigEndian.PutUint64(dst[32:], spread(uint64(m.sent)))
}

// parseMarker reads the marker at the given place of a message.
func parseMarker(message []byte, at int) (marker, bool) {
	if len(message) < at+markerSize {
		return marker{}, false
	}
	b := message[at : at+markerSize]
	if !bytes.Equal(b[:16], markerID) {
		return marker{}, false
	}
	return marker{
		source: gather(binary.BigEndian.Uint64(b[16:])),
		seq:    gather(binary.BigEndian.Uint64(b[24:])),
		sent:   int64(gather(binary.BigEndian.Uint64(b[32:]))),
	}, true
}

// spread puts the lowest 56 bits into the lower seven bits of eight bytes, and
// sets the highest of each: a NAL unit must not contain two zero bytes in a row
// (H.264 section 7.4.1).
func spread(v uint64) uint64 {
	v &= 1<<56 - 1
	v = v&0x0FFFFFFF | v<<4&0x0FFFFFFF_00000000
	v = v&0x00003FFF_00003FFF | v<<2&0x3FFF0000_3FFF0000
	v = v&0x007F007F_007F007F | v<<1&0x7F007F00_7F007F00
	return v | 0x80808080_80808080
}

// gather undoes spread.
func gather(v uint64) uint64 {
	v &= 0x7F7F7F7F_7F7F7F7F
	v = v&0x007F007F_007F007F | v&0x7F007F00_7F007F00>>1
	v = v&0x00003FFF_00003FFF | v&0x3FFF0000_3FFF0000>>2
	return v&0x0FFFFFFF | v&0x0FFFFFFF_00000000>>4
}
