package media

import "fmt"

var avcProfiles = map[uint8]string{
	44: "CAVLC 4:4:4 Intra", 66: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10",
	122: "High 4:2:2", 244: "High 4:4:4 Predictive",
}

const (
	avcNALTypeSPS = 7
	// maxPOCCycle is the limit of H.264 section 7.4.2.1.1. It bounds a loop over a count that a peer chose.
	maxPOCCycle = 255
)

// parseAVC reads an AVCDecoderConfigurationRecord: ISO/IEC 14496-15 section 5.3.3.1. The reserved bits are not
// checked, since encoders leave them 0, and nothing behind the first SPS is needed.
func (c *VideoConfig) parseAVC(record []byte) error {
	if len(record) < 7 {
		return errTruncated
	}
	if record[0] != 1 { // so it is with start codes (Annex B) in place of a record
		return fmt.Errorf("%w: version %d of the record", ErrMalformed, record[0])
	}
	profile, constraints, level := record[1], record[2], record[3]
	c.Profile = profileName(avcProfiles, profile)
	if profile == 66 && constraints&0x40 != 0 {
		c.Profile = "Constrained Baseline"
	}
	c.Level = fmt.Sprintf("%d.%d", level/10, level%10)
	if level == 9 || level == 11 && constraints&0x10 != 0 && profile <= 88 {
		c.Level = "1b"
	}
	if record[5]&0x1F == 0 {
		return nil // parameter sets only in band
	}
	sps, _, err := sized(record[6:])
	if err != nil {
		return err
	}
	return c.parseAVCSPS(sps)
}

// parseAVCSPS reads a sequence parameter set up to the size of the picture: H.264 section 7.3.2.1.1.
func (c *VideoConfig) parseAVCSPS(nal []byte) error {
	if len(nal) == 0 || nal[0]&0x1F != avcNALTypeSPS {
		return fmt.Errorf("%w: no sequence parameter set", ErrMalformed)
	}
	r := &bitReader{data: unescape(nal[1:])}
	profile := uint8(r.bits(8))
	r.skip(16) // constraints, level
	r.ue()     // id
	chroma, depth := uint32(1), uint32(0)
	if avcHasChroma(profile) {
		chroma, depth = readAVCChroma(r)
	}
	r.ue() // log2_max_frame_num
	skipAVCOrderCount(r)
	r.ue()    // max_num_ref_frames
	r.skip(1) // gaps_in_frame_num_allowed
	width, mapUnits := int64(r.ue())+1, int64(r.ue())+1
	fields := int64(2 - r.bits(1)) // a map unit is a pair of macroblocks unless frame_mbs_only
	if fields == 2 {
		r.skip(1) // mb_adaptive_frame_field
	}
	r.skip(1) // direct_8x8_inference
	width, height := width*16, mapUnits*16*fields
	if r.flag() {
		unitX, unitY := chromaUnits(chroma)
		width -= unitX * (int64(r.ue()) + int64(r.ue()))
		height -= unitY * fields * (int64(r.ue()) + int64(r.ue()))
	}
	if r.err != nil {
		return r.err
	}
	if err := c.setBitDepth(depth); err != nil {
		return err
	}
	return c.setSize(width, height)
}

// avcHasChroma tells for which profiles the SPS describes the samples; for others they are 4:2:0 of 8 bits.
func avcHasChroma(profile uint8) bool {
	switch profile {
	case 44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244:
		return true
	default:
		return false
	}
}

func readAVCChroma(r *bitReader) (chroma, depth uint32) {
	chroma = r.ue()
	lists := 8
	if chroma == 3 {
		lists = 12
		r.skip(1) // separate_colour_plane
	}
	depth = r.ue()
	r.ue()        // chroma bit depth
	r.skip(1)     // qpprime_y_zero_transform_bypass
	if r.flag() { // seq_scaling_matrix_present
		for i := range lists {
			if !r.flag() {
				continue
			}
			if i < 6 {
				skipScalingList(r, 16)
			} else {
				skipScalingList(r, 64)
			}
		}
	}
	return chroma, depth
}

// skipScalingList follows the deltas of H.264 section 7.3.2.1.1.1, which stop where the next scale becomes 0.
func skipScalingList(r *bitReader, size int) {
	scale := int64(8)
	for range size {
		scale = (scale + r.se()) & 0xFF
		if scale == 0 {
			return
		}
	}
}

func skipAVCOrderCount(r *bitReader) {
	switch r.ue() { // pic_order_cnt_type
	case 0:
		r.ue()
	case 1:
		r.skip(1)
		r.se()
		r.se()
		cycle := r.ue()
		if cycle > maxPOCCycle {
			r.fail(fmt.Errorf("%w: picture order cycle of %d", ErrMalformed, cycle))
			return
		}
		for range cycle {
			r.se()
		}
	}
}
