package rtmp

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/test/sessions"
)

// FuzzCapabilities reads what any connect command announces. A codec counts only
// if the client wrote its name, and nothing but the properties of Enhanced RTMP
// counts at all.
func FuzzCapabilities(f *testing.F) {
	for _, c := range capabilityCases {
		f.Add(Command{Name: "connect", Transaction: 1, Object: c.object}.Message(0).Payload)
	}
	for _, recorded := range sessions.All(f) {
		messages, _ := readAll(readerOf(recorded[sessions.Shaken:], AcceptedLimits))
		for _, m := range messages {
			if c, err := ParseCommand(m); m.Type == TypeCommand && err == nil && c.Name == "connect" {
				f.Add(m.Payload)
			}
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		command, err := ParseCommand(Message{Type: TypeCommand, Payload: payload})
		if err != nil {
			return
		}
		object, _ := amf.Properties(command.Object)
		got := ParseCapabilities(object)
		checkNamed(t, payload, got.Video)
		checkNamed(t, payload, got.Audio)
		if takes := got.Video.all || got.Audio.all || len(got.Video.named)+len(got.Audio.named) > 0; takes && !got.Announced {
			t.Errorf("%+v takes codecs that were not announced", got)
		}
		var relevant amf.Object
		for _, name := range []string{"videoFunction", propertyCapsEx, propertyAudioMap, propertyVideoMap, propertyFourCCList} {
			if v, ok := object.Get(name); ok {
				relevant = append(relevant, amf.Property{Name: name, Value: v})
			}
		}
		if alone := ParseCapabilities(relevant); !reflect.DeepEqual(alone, got) {
			t.Errorf("%+v, but %+v from what matters alone", got, alone)
		}
	})
}

func checkNamed(t *testing.T, payload []byte, set FourCCs) {
	t.Helper()
	if len(set.named) > 2*maxFourCCs {
		t.Errorf("%d codecs are kept", len(set.named))
	}
	if set.all && !bytes.Contains(payload, []byte(anyFourCC)) {
		t.Error("all codecs are taken, and nobody said so")
	}
	for _, n := range set.named {
		if name := []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}; !set.Has(n) || !bytes.Contains(payload, name) {
			t.Errorf("takes %q, which nobody wrote", name)
		}
	}
}
