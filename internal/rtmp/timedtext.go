package rtmp

import (
	"errors"
	"io"
	"slices"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
)

// timedTexts are the data messages that FFmpeg turns into subtitles: it looks for
// the property of timedTextKey, and ends its session if it does not get there.
var timedTexts = []string{"onTextData", "onCaption"}

const (
	timedTextKey = "text"
	// maxTimedTextName is the longest name in front of it that FFmpeg passes.
	maxTimedTextName = 19
)

// NormalizeData returns a data message that is no metadata as players can be sent
// it. That is the payload as it is, but for timed texts over which FFmpeg ends its
// session: there the text is moved to the front.
//
// It is false for what starts with no name, or with one over which FFmpeg ends its
// session, for timed text without text, and for what does not decode within
// [amf.DataLimits]. Bytes behind the first value may be padding.
func NormalizeData(payload []byte) ([]byte, bool) {
	d := amf.NewDecoder(payload, amf.DataLimits)
	first, err := d.Decode()
	if err != nil {
		return nil, false
	}
	name, ok := amf.AsString(first)
	if !ok || name == "" || len(name) > maxDataName {
		return nil, false
	}
	value, err := d.Decode()
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, false
	case !slices.Contains(timedTexts, name) || isPlainTimedText(payload):
		return payload, true
	}
	return timedText(name, value)
}

// timedText writes a timed text with the text in front.
func timedText(name string, value any) ([]byte, bool) {
	properties, _ := amf.Properties(value)
	found, _ := properties.Get(timedTextKey)
	text, ok := amf.AsString(found)
	if !ok || len(text) > maxTimedText {
		return nil, false
	}
	o := amf.Object{{Name: timedTextKey, Value: text}}
	for _, p := range properties {
		if p.Name == timedTextKey {
			continue
		}
		if v, ok := plainValue(p.Value); ok {
			o = append(o, amf.Property{Name: p.Name, Value: v})
		}
	}
	return amf.Append(amf.Append(nil, name), o), true
}

// maxTimedText is the longest text that is no long string, which FFmpeg does not
// take.
const maxTimedText = 1<<16 - 1

// isPlainTimedText reports whether FFmpeg gets as far as the text.
func isPlainTimedText(payload []byte) bool {
	r := plainReader{in: payload}
	if _, ok := r.text(plainString); !ok {
		return false
	}
	marker, ok := r.u8()
	if ok && marker == plainECMAArray {
		_, ok = r.next(4)
	}
	if !ok || marker != plainObject && marker != plainECMAArray {
		return false
	}
	for {
		name, ok := r.short()
		if !ok || len(name) == 0 || len(name) > maxTimedTextName {
			return false
		}
		if string(name) == timedTextKey && len(r.in) > 0 && r.in[0] == plainString {
			return true // it was decoded, so it is whole
		}
		if !r.value(1) {
			return false
		}
	}
}
