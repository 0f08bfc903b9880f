package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// AudioConfig is what an audio sequence header tells about the stream. Fields that it does not tell are zero.
type AudioConfig struct {
	Codec      Codec
	Profile    string // of AAC: "LC", "HE-AAC"; "object type 23" without a name
	SampleRate int    // of the decoded sound, in Hz
	Channels   int    // of the decoded sound
}

// ParseAudioConfig reads a message of the type SequenceHeader; where it has several tracks, the first one. MP3, AC-3
// and E-AC-3 describe themselves in their frames and give the codec only, as does an empty header. With an error,
// which wraps ErrMalformed, the fields read before it are still set.
func ParseAudioConfig(payload []byte) (AudioConfig, error) {
	p := InspectAudio(payload)
	c := AudioConfig{Codec: p.Codec}
	if p.Type != SequenceHeader {
		return c, fmt.Errorf("parse audio configuration: %w: %s instead of a sequence header", ErrMalformed, p.Type)
	}
	record := p.Body(payload)
	if len(record) == 0 {
		return c, nil
	}
	var err error
	switch p.Codec {
	case AAC:
		err = c.parseAAC(record)
	case Opus:
		err = c.parseOpus(record)
	case FLAC:
		err = c.parseFLAC(record)
	}
	if err != nil {
		return c, fmt.Errorf("parse %s configuration: %w", p.Codec, err)
	}
	return c, nil
}

// AAC object types that shape the configuration: ISO/IEC 14496-3 table 1.17.
const (
	aotEscape = 31
	aotSBR    = 5
	aotPS     = 29
)

var aacProfiles = map[int]string{
	1: "Main", 2: "LC", 3: "SSR", 4: "LTP", aotSBR: "HE-AAC", aotPS: "HE-AACv2", 42: "xHE-AAC",
}

var aacSampleRates = [...]int{
	96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
}

// Channels of a channelConfiguration: ISO/IEC 14496-3 table 1.19. 0 stands for a program config element, which is
// not read.
var aacChannels = [16]int{0, 1, 2, 3, 4, 5, 6, 8, 11: 7, 12: 8, 13: 24, 14: 8}

// parseAAC reads an AudioSpecificConfig: ISO/IEC 14496-3 section 1.6.2.1.
func (c *AudioConfig) parseAAC(record []byte) error {
	r := &bitReader{data: record}
	objectType, rate, channels := readObjectType(r), readSampleRate(r), r.bits(4)
	core := objectType
	if objectType == aotSBR || objectType == aotPS { // explicit signalling: the extension comes first
		rate = readSampleRate(r)
		core = readObjectType(r)
	}
	if r.err != nil {
		return r.err
	}
	c.set(objectType, rate, aacChannels[channels])
	if core == objectType && core <= 4 && channels != 0 {
		c.readSyncExtension(r)
	}
	return nil
}

func (c *AudioConfig) set(objectType, rate, channels int) {
	c.Profile = aacProfiles[objectType]
	if c.Profile == "" {
		c.Profile = fmt.Sprintf("object type %d", objectType)
	}
	c.SampleRate, c.Channels = rate, channels
	if objectType == aotPS { // parametric stereo: one channel in the core, two for the listener
		c.Channels = 2
	}
}

// readSyncExtension looks for HE-AAC that is signalled behind the configuration, where old decoders do not look.
// What follows the configuration is optional, so that nothing in it is an error.
func (c *AudioConfig) readSyncExtension(r *bitReader) {
	const syncSBR, syncPS = 0x2B7, 0x548
	r.skip(1)     // frame length
	if r.flag() { // depends on core coder
		r.skip(14)
	}
	r.skip(1) // extension flag
	if r.bits(11) != syncSBR || readObjectType(r) != aotSBR || !r.flag() {
		return
	}
	rate := readSampleRate(r)
	if r.err != nil {
		return
	}
	c.set(aotSBR, rate, c.Channels)
	if r.bits(11) == syncPS && r.flag() {
		c.set(aotPS, rate, c.Channels)
	}
}

func readObjectType(r *bitReader) int {
	if objectType := r.bits(5); objectType != aotEscape {
		return int(objectType)
	}
	return 32 + int(r.bits(6))
}

func readSampleRate(r *bitReader) int {
	index := int(r.bits(4))
	if index < len(aacSampleRates) {
		return aacSampleRates[index]
	}
	if index != 15 {
		r.fail(fmt.Errorf("%w: reserved sample rate index %d", ErrMalformed, index))
		return 0
	}
	return int(r.bits(24))
}

// parseOpus reads the identification header of RFC 7845 section 5.1. Opus always decodes at 48 kHz; the rate in the
// header is that of the recording.
func (c *AudioConfig) parseOpus(record []byte) error {
	if len(record) < 19 {
		return errTruncated
	}
	if !bytes.HasPrefix(record, []byte("OpusHead")) || record[8]>>4 != 0 || record[9] == 0 {
		return fmt.Errorf("%w: not an Opus identification header", ErrMalformed)
	}
	c.SampleRate, c.Channels = 48000, int(record[9])
	return nil
}

// parseFLAC reads a STREAMINFO block: RFC 9639 section 8.2. Enhanced RTMP puts the FLAC signature and the block header
// before it, FFmpeg sends the block alone.
func (c *AudioConfig) parseFLAC(record []byte) error {
	const blockHeaderSize, streamInfoSize = 4, 34
	if rest, ok := bytes.CutPrefix(record, []byte("fLaC")); ok {
		if len(rest) < blockHeaderSize {
			return errTruncated
		}
		record = rest[blockHeaderSize:]
	}
	if len(record) < streamInfoSize {
		return errTruncated
	}
	bits := binary.BigEndian.Uint32(record[10:]) // 20 bits of rate, 3 of channels
	c.SampleRate, c.Channels = int(bits>>12), int(bits>>9&0x07)+1
	return nil
}
