package media

import "fmt"

// VideoConfig is what a video sequence header tells about the stream. Fields that it does not tell are zero.
type VideoConfig struct {
	Codec         Codec
	Profile       string // "High", "Main 10"; "profile 7" without a name
	Level         string // "3.1"
	Width, Height int    // of the picture that is shown, in luma samples
	BitDepth      int    // of the luma samples
}

// maxDimension is the widest picture of the highest AV1 level. It keeps sizes that a peer made up out of all reports.
const maxDimension = 16384

// ParseVideoConfig reads a message of the type SequenceHeader; where it has several tracks, the first one. Codecs
// whose record is not understood (H.266, MPEG-2 TS descriptors) give the codec and no error. With an error, which
// wraps ErrMalformed, the fields read before it are still set.
func ParseVideoConfig(payload []byte) (VideoConfig, error) {
	p := InspectVideo(payload)
	c := VideoConfig{Codec: p.Codec}
	if p.Type != SequenceHeader {
		return c, fmt.Errorf("parse video configuration: %w: %s instead of a sequence header", ErrMalformed, p.Type)
	}
	if p.wire == packetTypeMPEG2TSSequence {
		return c, nil
	}
	var err error
	switch record := p.Body(payload); p.Codec {
	case H264:
		err = c.parseAVC(record)
	case H265:
		err = c.parseHEVC(record)
	case AV1:
		err = c.parseAV1(record)
	case VP8, VP9:
		err = c.parseVP(record)
	}
	if err != nil {
		return c, fmt.Errorf("parse %s configuration: %w", p.Codec, err)
	}
	return c, nil
}

// setSize takes over the size of the picture unless it is out of all bounds.
func (c *VideoConfig) setSize(width, height int64) error {
	if width < 1 || height < 1 || width > maxDimension || height > maxDimension {
		return fmt.Errorf("%w: picture of %d×%d", ErrMalformed, width, height)
	}
	c.Width, c.Height = int(width), int(height)
	return nil
}

// setBitDepth takes over a bit depth that is coded as the difference to 8.
func (c *VideoConfig) setBitDepth(minus8 uint32) error {
	if minus8 > 8 {
		return fmt.Errorf("%w: more than 16 bits a sample", ErrMalformed)
	}
	c.BitDepth = 8 + int(minus8)
	return nil
}

// profileName looks a profile up, and makes a name where there is none.
func profileName(names map[uint8]string, profile uint8) string {
	if name, ok := names[profile]; ok {
		return name
	}
	return fmt.Sprintf("profile %d", profile)
}

// chromaUnits returns how many luma samples a chroma sample spans, which is the unit of cropping: H.264 table 6-1,
// H.265 table 6-1.
func chromaUnits(chromaFormat uint32) (x, y int64) {
	switch chromaFormat {
	case 1: // 4:2:0
		return 2, 2
	case 2: // 4:2:2
		return 2, 1
	default: // 4:4:4, monochrome
		return 1, 1
	}
}

// parseVP reads a VPCodecConfigurationRecord (VP Codec ISO Media File Format Binding, "vpcC"). FFmpeg sends it with
// the four bytes of the MP4 box version in front, others without. It does not tell the size of the picture.
func (c *VideoConfig) parseVP(record []byte) error {
	if len(record) >= 12 && record[0] == 1 && record[1]|record[2]|record[3] == 0 {
		record = record[4:]
	}
	if len(record) < 8 {
		return errTruncated
	}
	c.Profile = profileName(nil, record[0])
	if level := record[1]; level != 0 {
		c.Level = fmt.Sprintf("%d.%d", level/10, level%10)
	}
	c.BitDepth = int(record[2] >> 4)
	return nil
}
