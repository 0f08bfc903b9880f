package media

import "fmt"

var av1Profiles = map[uint8]string{0: "Main", 1: "High", 2: "Professional"}

const (
	av1OBUSequenceHeader = 1
	maxLEB128Size        = 8  // AV1 section 4.10.5: a longer number would never end
	av1MaxLevel          = 31 // "maximum parameters", no level
)

// parseAV1 reads an AV1CodecConfigurationRecord: AV1 Codec ISO Media File Format Binding, section 2.3. The sequence
// header in it, which tells the size, may be missing.
func (c *VideoConfig) parseAV1(record []byte) error {
	if len(record) < 4 {
		return errTruncated
	}
	if record[0] != 0x81 {
		return fmt.Errorf("%w: marker and version %#x of the record", ErrMalformed, record[0])
	}
	c.Profile = profileName(av1Profiles, record[1]>>5)
	if level := record[1] & 0x1F; level != av1MaxLevel {
		c.Level = fmt.Sprintf("%d.%d", 2+level/4, level%4)
	}
	switch record[2] >> 5 & 0x03 { // high_bitdepth, twelve_bit
	case 2:
		c.BitDepth = 10
	case 3:
		c.BitDepth = 12
	default:
		c.BitDepth = 8
	}
	header, err := findAV1SequenceHeader(record[4:])
	if err != nil || header == nil {
		return err
	}
	return c.parseAV1SequenceHeader(header)
}

// findAV1SequenceHeader returns the payload of the first sequence header OBU, nil if there is none: AV1 section 5.3.
func findAV1SequenceHeader(b []byte) ([]byte, error) {
	for len(b) > 0 {
		header := b[0]
		b = b[1:]
		if header&0x04 != 0 { // extension byte
			if len(b) == 0 {
				return nil, errTruncated
			}
			b = b[1:]
		}
		size := uint64(len(b))
		if header&0x02 != 0 { // has_size
			var ok bool
			if size, b, ok = leb128(b); !ok || size > uint64(len(b)) {
				return nil, errTruncated
			}
		}
		if header>>3&0x0F == av1OBUSequenceHeader {
			return b[:size], nil
		}
		b = b[size:]
	}
	return nil, nil
}

// leb128 takes a little-endian number of seven bits a byte off b.
func leb128(b []byte) (v uint64, rest []byte, ok bool) {
	for i := range min(maxLEB128Size, len(b)) {
		v |= uint64(b[i]&0x7F) << (7 * i)
		if b[i]&0x80 == 0 {
			return v, b[i+1:], true
		}
	}
	return 0, b, false
}

// parseAV1SequenceHeader reads up to the size of the frame: AV1 section 5.5.1.
func (c *VideoConfig) parseAV1SequenceHeader(b []byte) error {
	r := &bitReader{data: b}
	r.skip(3 + 1) // profile, still_picture
	if r.flag() { // reduced_still_picture_header
		r.skip(5) // level
	} else {
		skipAV1OperatingPoints(r)
	}
	widthBits, heightBits := int(r.bits(4))+1, int(r.bits(4))+1
	width, height := int64(r.bits(widthBits))+1, int64(r.bits(heightBits))+1
	if r.err != nil {
		return r.err
	}
	return c.setSize(width, height)
}

func skipAV1OperatingPoints(r *bitReader) {
	delayBits := 0 // of the decoder model; 0 without one
	if r.flag() {  // timing_info_present
		r.skip(32 + 32) // tick, time scale
		if r.flag() {   // equal_picture_interval
			r.ue()
		}
		if r.flag() { // decoder_model_info_present
			delayBits = int(r.bits(5)) + 1
			r.skip(32 + 5 + 5)
		}
	}
	displayDelay := r.flag()  // initial_display_delay_present
	for range r.bits(5) + 1 { // operating_points_cnt
		r.skip(12) // idc
		if level := r.bits(5); level > 7 {
			r.skip(1) // tier
		}
		if delayBits > 0 && r.flag() {
			r.skip(2*delayBits + 1)
		}
		if displayDelay && r.flag() {
			r.skip(4)
		}
	}
}
