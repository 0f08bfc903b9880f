package media

import (
	"bytes"
	"reflect"
	"testing"
)

const (
	setPrefix   = "02000D 40736574446174614672616D65"
	clearPrefix = "02000F 40636C656172446174614672616D65"
	onMetaData  = "02000A 6F6E4D65746144617461"
	emptyArray  = "08 00000000 000009"
)

var scriptCases = []struct {
	name    string
	payload string
	want    Script
	ok      bool
}{
	{"metadata as publishers send it", setPrefix + onMetaData + emptyArray, Script{Name: "onMetaData", Body: unhex(onMetaData + emptyArray)}, true},
	{"metadata without prefix", onMetaData + emptyArray, Script{Name: "onMetaData", Body: unhex(onMetaData + emptyArray)}, true},
	{"prefix twice", setPrefix + setPrefix + onMetaData, Script{Name: "onMetaData", Body: unhex(onMetaData)}, true},
	{"prefix alone", setPrefix, Script{Body: []byte{}}, true},
	{"prefix before a number", setPrefix + "00 0000000000000000", Script{Body: unhex("00 0000000000000000")}, true},
	{"metadata to forget", clearPrefix + onMetaData, Script{Name: "onMetaData", Clear: true}, true},
	{"forget without a name", clearPrefix, Script{Clear: true}, true},
	{"other data", "020002 6869 05", Script{Name: "hi", Body: unhex("020002 6869 05")}, true},
	{"empty name", "020000", Script{Body: unhex("020000")}, true},
	{"name like the prefix", "02000E 40736574446174614672616D6573", Script{Name: "@setDataFrames", Body: unhex("02000E 40736574446174614672616D6573")}, true},
	{"time code of FFmpeg", "00 000102", Script{}, false},
	{"empty", "", Script{}, false},
	{"cut string", "020003 6869", Script{}, false},
	{"cut size", "0200", Script{}, false},
}

func TestScriptNamesDataAndStripsThePrefix(t *testing.T) {
	for _, c := range scriptCases {
		t.Run(c.name, func(t *testing.T) {
			got, ok := ParseScript(exact(unhex(c.payload)))
			if !reflect.DeepEqual(got, c.want) || ok != c.ok {
				t.Errorf("got %+v %v, want %+v %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func FuzzScript(f *testing.F) {
	for _, c := range scriptCases {
		f.Add(unhex(c.payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		before := bytes.Clone(payload)
		s, ok := ParseScript(payload)
		if !ok && (s.Name != "" || s.Body != nil) || s.Clear && s.Body != nil {
			t.Errorf("%+v %v", s, ok)
		}
		if !bytes.HasSuffix(payload, s.Body) || bytes.HasPrefix(s.Body, setDataFrame) || len(s.Name) > len(payload) {
			t.Errorf("body % X", s.Body)
		}
		if !bytes.Equal(payload, before) {
			t.Error("payload changed")
		}
	})
}

func TestColorInfoIsTakenBack(t *testing.T) {
	const name = "020009 636F6C6F72496E666F"
	for _, c := range []struct {
		name    string
		payload string
		want    bool
	}{
		{"undefined", "84 68766331" + name + "06", true},
		{"empty object", "D4 68766331" + name + "03 000009", true},
		{"undefined on another track", "86 04 68766331 01" + name + "06", true},
		{"with a member", "D4 68766331" + name + "03 0001 61 05 000009", false},
		{"other name", "D4 68766331 020001 61 06", false},
		{"a frame with these bytes", "93 68766331" + name + "06", false},
		{"empty", "", false},
	} {
		if got := ClearsColorInfo(unhex(c.payload)); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}
