package amf

import "testing"

// What OBS 30 sends.
var connect = []any{"connect", 1.0, Object{
	{"app", "channel"},
	{"type", "nonprivate"},
	{"flashVer", "FMLE/3.0 (compatible; FMSc/1.0)"},
	{"swfUrl", "rtmp://example.org/channel"},
	{"tcUrl", "rtmp://example.org/channel"},
}}

var onStatus = []any{"onStatus", 0.0, nil, Object{
	{"level", "status"},
	{"code", "NetStream.Publish.Start"},
	{"description", "Publishing."},
}}

func BenchmarkDecodeConnect(b *testing.B) {
	var in []byte
	for _, v := range connect {
		in = Append(in, v)
	}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		d := NewDecoder(in, CommandLimits)
		for range connect {
			if _, err := d.Decode(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkAppendOnStatus(b *testing.B) {
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		for _, v := range onStatus {
			buf = Append(buf, v)
		}
	}
}

func TestAppendIntoABufferDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		buf = buf[:0]
		for _, v := range onStatus {
			buf = Append(buf, v)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
