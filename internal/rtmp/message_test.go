package rtmp

import "testing"

func TestMessageTypes(t *testing.T) {
	known := map[MessageType]string{
		1: "SetChunkSize", 2: "Abort", 3: "Acknowledgement", 4: "UserControl", 5: "WindowAckSize", 6: "SetPeerBandwidth",
		8: "Audio", 9: "Video", 15: "DataAMF3", 17: "CommandAMF3", 18: "Data", 20: "Command", 22: "Aggregate",
	}
	for i := range 256 {
		kind := MessageType(i)
		name, ok := known[kind]
		if kind.Known() != ok {
			t.Errorf("%v: known = %v", kind, kind.Known())
		}
		if ok && kind.String() != name {
			t.Errorf("type %d is called %v, want %s", i, kind, name)
		}
	}
	for kind, want := range map[MessageType]string{0: "type 0", 7: "type 7", 99: "type 99", 255: "type 255"} {
		if kind.String() != want {
			t.Errorf("type %d is called %v", byte(kind), kind)
		}
	}
}

func TestChunkStreamForFitsOneByte(t *testing.T) {
	for kind, want := range map[MessageType]uint32{TypeAudio: 4, TypeVideo: 6, TypeData: 8, TypeDataAMF3: 8} {
		if got := ChunkStreamFor(kind); got != want {
			t.Errorf("%v travels on %d, want %d", kind, got, want)
		}
	}
}
