package media

import "fmt"

var hevcProfiles = map[uint8]string{
	1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Range Extensions", 9: "Screen Content Coding",
}

const (
	hevcNALTypeSPS = 33
	hevcRecordSize = 23 // up to the number of arrays
	// hevcMaxSubLayers is the limit of H.265 section 7.4.3.2.1 besides the base layer. It bounds an array whose length
	// a peer chose.
	hevcMaxSubLayers = 6
)

// parseHEVC reads an HEVCDecoderConfigurationRecord: ISO/IEC 14496-15 section 8.3.3.1. Version 0 stands in records
// of early encoders.
func (c *VideoConfig) parseHEVC(record []byte) error {
	if len(record) < hevcRecordSize {
		return errTruncated
	}
	if record[0] > 1 {
		return fmt.Errorf("%w: version %d of the record", ErrMalformed, record[0])
	}
	c.Profile = profileName(hevcProfiles, record[1]&0x1F)
	c.Level = fmt.Sprintf("%d.%d", record[12]/30, record[12]%30/3)
	c.BitDepth = 8 + int(record[17]&0x07)
	sps, err := findHEVCSPS(record[hevcRecordSize:], int(record[22]))
	if err != nil || sps == nil {
		return err
	}
	return c.parseHEVCSPS(sps)
}

// findHEVCSPS returns the first sequence parameter set in the arrays of a record, nil if there is none. Arrays and
// units are counted by the peer, but each takes bytes of the record.
func findHEVCSPS(b []byte, arrays int) ([]byte, error) {
	for range arrays {
		if len(b) < 3 {
			return nil, errTruncated
		}
		nalType, units := b[0]&0x3F, int(b[1])<<8|int(b[2])
		b = b[3:]
		for range units {
			nal, rest, err := sized(b)
			if err != nil {
				return nil, err
			}
			if nalType == hevcNALTypeSPS {
				return nal, nil
			}
			b = rest
		}
	}
	return nil, nil
}

// parseHEVCSPS reads a sequence parameter set up to the bit depth: H.265 section 7.3.2.2.1.
func (c *VideoConfig) parseHEVCSPS(nal []byte) error {
	if len(nal) < 2 || nal[0]>>1&0x3F != hevcNALTypeSPS {
		return fmt.Errorf("%w: no sequence parameter set", ErrMalformed)
	}
	r := &bitReader{data: unescape(nal[2:])}
	r.skip(4) // vps id
	subLayers := int(r.bits(3))
	r.skip(1) // temporal_id_nesting
	skipProfileTierLevel(r, subLayers)
	r.ue() // id
	chroma := r.ue()
	if chroma == 3 {
		r.skip(1) // separate_colour_plane
	}
	width, height := int64(r.ue()), int64(r.ue())
	if r.flag() { // conformance_window
		unitX, unitY := chromaUnits(chroma)
		width -= unitX * (int64(r.ue()) + int64(r.ue()))
		height -= unitY * (int64(r.ue()) + int64(r.ue()))
	}
	depth := r.ue()
	if r.err != nil {
		return r.err
	}
	if err := c.setBitDepth(depth); err != nil {
		return err
	}
	return c.setSize(width, height)
}

// skipProfileTierLevel passes over the structure of H.265 section 7.3.3.
func skipProfileTierLevel(r *bitReader, subLayers int) {
	const profileBits, levelBits = 88, 8
	if subLayers > hevcMaxSubLayers {
		r.fail(fmt.Errorf("%w: %d sub-layers", ErrMalformed, subLayers+1))
		return
	}
	r.skip(profileBits + levelBits)
	if subLayers == 0 {
		return
	}
	var present [hevcMaxSubLayers]struct{ profile, level bool }
	for i := range subLayers {
		present[i].profile, present[i].level = r.flag(), r.flag()
	}
	r.skip(2 * (8 - subLayers)) // the flags are padded to eight pairs
	for i := range subLayers {
		if present[i].profile {
			r.skip(profileBits)
		}
		if present[i].level {
			r.skip(levelBits)
		}
	}
}
