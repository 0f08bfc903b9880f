package stream

import (
	"runtime"
	"testing"
	"weak"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// retained returns what the group for newcomers takes.
func retained(l *Log) int64 {
	total := int64(0)
	if before := l.entry.Load().before; before != nil {
		for m := before.next.Load(); m != nil; m = m.next.Load() {
			total += int64(len(m.chunks)) + messageOverhead
		}
	}
	return total
}

// smallFrame is what a frame without content takes: a chunk header of 12 bytes,
// 6 bytes for video, and the overhead.
const smallFrame = 12 + 6 + messageOverhead

func TestGroupIsGivenUpWhenItOutgrowsTheCache(t *testing.T) {
	conformance.Covers(t, 156)
	l := newLog(testChunkSize, 3*smallFrame)
	appendAll(l, "vh0=A v0!@10 v0@20 v0@30")
	if got := drain(l.Cursor(AtGroup)); got != "vh0=A@10 v0!@10 v0@20 v0@30" {
		t.Errorf("group that just fits: got %s", got)
	}
	present := l.Cursor(AtGroup)
	appendAll(l, "v0@40")
	c := l.Cursor(AtGroup)
	appendAll(l, "v0@50 v0!@60 v0@70")
	if got := drain(c); got != "vh0=A@40 v0!@60 v0@70" {
		t.Errorf("newcomer after the overflow: got %s", got)
	}
	if got := drain(present); got != "vh0=A@10 v0!@10 v0@20 v0@30 v0@40 v0@50 v0!@60 v0@70" {
		t.Errorf("viewer that was there: got %s", got)
	}
	if got := drain(l.Cursor(AtGroup)); got != "vh0=A@60 v0!@60 v0@70" {
		t.Errorf("newcomer in the next group: got %s", got)
	}
}

func TestCacheOfZeroBytesKeepsHeadersOnly(t *testing.T) {
	l := newLog(testChunkSize, 0)
	appendAll(l, "meta=X vh0=A ah0=B v0!@10 a0@20")
	c := l.Cursor(AtGroup)
	appendAll(l, "a0@30 v0@40 v0!@50")
	if got, want := drain(c), "meta=X@20 vh0=A@20 ah0=B@20 a0@30 v0!@50"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFloodWithinAGroupIsBounded(t *testing.T) {
	for _, token := range []string{"v0", "a0", "text=X", "silence", "opaque", "ah0=A"} {
		t.Run(token, func(t *testing.T) {
			conformance.Covers(t, 156)
			l := newLog(testChunkSize, 64<<10)
			appendAll(l, "v0!")
			m := message(token)
			n := 0
			for ; l.entry.Load().before != nil && n < 1000; n++ {
				if got := retained(l); got > 64<<10 {
					t.Fatalf("%d bytes retained, more than the cache", got)
				}
				l.Append(m, 0)
			}
			if n < 200 || n == 1000 {
				t.Errorf("group given up after %d messages, want about 64 KiB / (%d + their bytes)", n, messageOverhead)
			}
		})
	}
}

func collected(t *testing.T, what string, p weak.Pointer[Message]) {
	t.Helper()
	runtime.GC()
	if p.Value() != nil {
		t.Errorf("%s is still held", what)
	}
}

func TestWhatNobodyNeedsIsReleased(t *testing.T) {
	newest := func(l *Log) weak.Pointer[Message] { return weak.Make(l.tail.Load()) }
	l := newLog(testChunkSize, 4*smallFrame)
	appendAll(l, "vh0=A ah0=B v0!@10")
	old := newest(l)
	slow := l.Cursor(AtGroup)
	header, err := slow.Next()
	if err != nil || text(header) != "vh0=A@10" {
		t.Fatalf("got %v, %v", header, err)
	}
	appendAll(l, "v0@20 v0!@30 v0@40")
	runtime.GC()
	if old.Value() == nil {
		t.Error("group is gone although a viewer is in it")
	}
	drain(slow)
	appendAll(l, "v0@50 v0@55")
	collected(t, "old group", old)

	overflowed := newest(l)
	appendAll(l, "v0@60 v0@70 v0@80")
	drain(slow)
	collected(t, "group that outgrew the cache", overflowed)
	if header.next.Load() != nil {
		t.Error("header of a newcomer holds the log")
	}
	runtime.KeepAlive(l)
}

func TestAudioOnlyRetainsNothing(t *testing.T) {
	l := logOf("ah0=B a0@10")
	old := weak.Make(l.tail.Load())
	appendAll(l, "a0@20")
	collected(t, "audio frame", old)
	runtime.KeepAlive(l)
}
