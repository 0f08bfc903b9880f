package media

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"
	"testing/iotest"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

func TestFLVIsWrittenToTheSpecification(t *testing.T) {
	conformance.Covers(t, 165)
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"header with both", AppendFLVHeader(nil, true, true), "464C56 01 05 00000009 00000000"},
		{"header with audio", AppendFLVHeader(nil, true, false), "464C56 01 04 00000009 00000000"},
		{"header with video", AppendFLVHeader(nil, false, true), "464C56 01 01 00000009 00000000"},
		{"timestamp of four bytes", AppendTag(nil, TagAudio, 0x01020304, unhex("AF0121")), "08 000003 020304 01 000000 AF0121 0000000E"},
		{"timestamps stay positive", AppendTagHeader(nil, TagVideo, 0x123456, 0xFFFFFFFF), "09 123456 FFFFFF 7F 000000"},
		{"back pointer counts the header", AppendBackPointer([]byte{1}, 0x10000), "01 0001000B"},
	} {
		if !bytes.Equal(c.got, unhex(c.want)) {
			t.Errorf("%s: got % X, want %s", c.name, c.got, c.want)
		}
	}
}

var twoTags = []Tag{
	{Type: TagScript, Timestamp: 0, Payload: unhex("02 0000")},
	{Type: TagVideo, Timestamp: 0x7F020304, Payload: unhex("17 01 000000 00")},
}

func flvOf(tags []Tag) []byte {
	b := AppendFLVHeader(nil, true, true)
	for _, tag := range tags {
		b = AppendTag(b, tag.Type, tag.Timestamp, tag.Payload)
	}
	return b
}

// collect reads all tags and the error after them.
func collect(r io.Reader, maxPayload int) (tags []Tag, err error) {
	for tag, e := range ReadFLV(r, maxPayload) {
		if e != nil {
			err = e
			continue
		}
		tags = append(tags, tag)
	}
	return tags, err
}

func TestFLVReadsBackWhatWasWritten(t *testing.T) {
	got, err := collect(iotest.OneByteReader(bytes.NewReader(flvOf(twoTags))), 100)
	if err != nil || !reflect.DeepEqual(got, twoTags) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestFLVReadingStopsWhenAsked(t *testing.T) {
	for tag, err := range ReadFLV(bytes.NewReader(flvOf(twoTags)), 100) {
		if err != nil || tag.Type != TagScript {
			t.Errorf("got %+v, %v", tag, err)
		}
		break
	}
}

func TestFLVTruncatedAnywhereGivesTheWholeTagsBefore(t *testing.T) {
	whole := flvOf(twoTags)
	ends := map[int]int{13: 0, 13 + 18: 1, len(whole): 2} // after a back pointer
	for length := range len(whole) + 1 {
		tags, err := collect(bytes.NewReader(whole[:length]), 100)
		if n, clean := ends[length]; clean {
			if err != nil || len(tags) != n {
				t.Errorf("%d bytes: %d tags, %v", length, len(tags), err)
			}
		} else if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v", length, err)
		}
		if len(tags) > 0 && !reflect.DeepEqual(tags, twoTags[:len(tags)]) {
			t.Errorf("%d bytes: %+v", length, tags)
		}
	}
}

func TestFLVReadsWhatIsUnusual(t *testing.T) {
	b := unhex("464C56 01 05 0000000B FFFF 00000000" + "28 000001 000000 00 000000 AF 0000000C" + "08 000000 000000 00 000000 0000000B")
	got, err := collect(bytes.NewReader(b), 1)
	want := []Tag{{Type: TagAudio, Encrypted: true, Payload: unhex("AF")}, {Type: TagAudio, Payload: []byte{}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("longer header, encrypted tag, empty tag: %+v, %v", got, err)
	}
}

func TestFLVRefusesWhatIsMalformed(t *testing.T) {
	for name, b := range map[string]string{
		"no signature":       "464C57 01 05 00000009 00000000",
		"other version":      "464C56 02 05 00000009 00000000",
		"short header":       "464C56 01 05 00000008 00000000",
		"endless header":     "464C56 01 05 FFFFFFFF 00000000",
		"first back pointer": "464C56 01 05 00000009 00000001",
		"large payload":      "464C56 01 05 00000009 00000000 08 000009 000000 00 000000",
		"wrong back pointer": "464C56 01 05 00000009 00000000 08 000001 000000 00 000000 AF 0000000D",
		"no back pointer":    "464C56 01 05 00000009 00000000 08 000001 000000 00 000000 AF 08000001",
	} {
		if _, err := collect(bytes.NewReader(unhex(b)), 8); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFLVReportsTheErrorOfTheReader(t *testing.T) {
	if _, err := collect(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(flvOf(twoTags)))), 8); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

func FuzzFLV(f *testing.F) {
	whole := flvOf(twoTags)
	f.Add(whole)
	f.Add(whole[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		tags, err := collect(bytes.NewReader(b), MaxTagSize)
		sum := 0
		for _, tag := range tags {
			sum += TagHeaderSize + len(tag.Payload)
		}
		if sum > len(b) {
			t.Errorf("%d bytes in tags of %d", sum, len(b))
		}
		for i := range tags { // a written tag has no filter bit and a positive timestamp
			tags[i].Encrypted = false
			tags[i].Timestamp &= 0x7FFFFFFF
		}
		if again, e := collect(bytes.NewReader(flvOf(tags)), MaxTagSize); err == nil && (e != nil || !reflect.DeepEqual(again, tags)) {
			t.Errorf("read back %+v, %v", again, e)
		}
	})
}
