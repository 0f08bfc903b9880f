package bench

import (
	"reflect"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// arrive counts a frame of ten bytes more than its head.
func arrive(t *tally, p *progress, kind rtmp.MessageType, m marker, now int64) {
	at := audioMarkerAt
	if kind == rtmp.TypeVideo {
		at = videoMarkerAt
	}
	head := make([]byte, headSize)
	m.put(head[at:])
	t.media(now, p, arrival{kind: kind, length: headSize + 10, payload: head})
}

func TestTallyCountsWhatWasSentInTheWindow(t *testing.T) {
	const a, v = rtmp.TypeAudio, rtmp.TypeVideo
	type frame struct {
		kind        rtmp.MessageType
		source, seq uint64
		sent        int64
	}
	for _, test := range []struct {
		name                 string
		frames               []frame
		messages, gaps, lost int64
	}{
		{"all of it", []frame{{v, 1, 1, 90}, {a, 1, 1, 90}, {v, 1, 2, 100}, {a, 1, 2, 110}, {v, 1, 3, 199}, {v, 1, 4, 200}}, 3, 0, 0},
		{"left out", []frame{{v, 1, 1, 90}, {v, 1, 4, 120}, {v, 1, 5, 130}, {v, 1, 7, 140}}, 3, 2, 3},
		{"left out before the window", []frame{{v, 1, 1, 80}, {v, 1, 9, 90}, {v, 1, 10, 100}}, 1, 0, 0},
		{"the first of all", []frame{{v, 1, 900, 120}}, 1, 0, 0},
		{"sent again", []frame{{v, 1, 1, 110}, {v, 1, 2, 120}, {v, 1, 1, 110}, {v, 1, 2, 120}, {v, 1, 3, 130}}, 3, 0, 0},
		{"another run of the publisher", []frame{{v, 1, 50, 110}, {v, 2, 1, 120}, {v, 2, 2, 130}}, 3, 0, 0},
	} {
		w := newWindow()
		w.from.Store(100)
		w.to.Store(200)
		count := newTally(w, false)
		var p progress
		for _, f := range test.frames {
			arrive(count, &p, f.kind, marker{f.source, f.seq, f.sent}, f.sent+1000)
		}
		got := []int64{count.messages, count.bytes, count.gaps, count.lost}
		if want := []int64{test.messages, test.messages * (headSize + 10), test.gaps, test.lost}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: messages, bytes, gaps, lost %v, want %v", test.name, got, want)
		}
		if count.lag.count != uint64(test.messages) || count.lag.longest != 1000 {
			t.Errorf("%s: %d lags up to %d", test.name, count.lag.count, count.lag.longest)
		}
	}
}

func TestTallyCountsByArrivalWhatSomebodyElsePublishes(t *testing.T) {
	w := newWindow()
	w.from.Store(100)
	w.to.Store(200)
	for _, unmarked := range []bool{true, false} {
		count := newTally(w, unmarked)
		for _, now := range []int64{99, 100, 199, 200} {
			count.media(now, &progress{}, arrival{kind: rtmp.TypeVideo, length: 5, payload: []byte("12345")})
		}
		want := int64(0)
		if unmarked {
			want = 2
		}
		if count.messages != want || count.bytes != 5*want {
			t.Errorf("unmarked %v: %d messages, %d bytes", unmarked, count.messages, count.bytes)
		}
	}
}

func TestLagGrowthIsSeen(t *testing.T) {
	w := newWindow()
	w.from.Store(0)
	w.to.Store(100)
	one, sum := newTally(w, false), newTally(w, false)
	var p progress
	for i := range int64(100) {
		arrive(one, &p, rtmp.TypeVideo, marker{1, uint64(i + 1), i}, i+i*1000)
	}
	sum.add(one)
	if first, last := sum.first.quantile(0.5), sum.last.quantile(0.5); first > 12 || last < 85 {
		t.Errorf("median lag %v ms, then %v ms", first, last)
	}
	var recent histogram
	one.takeRecent(&recent)
	one.takeRecent(&recent)
	if recent.count != 100 {
		t.Errorf("%d recent lags", recent.count)
	}
}

func TestHistogramKeepsThreePercent(t *testing.T) {
	for _, us := range []int64{0, 1, 31, 32, 63, 64, 1000, 12345, 999_999, 3_600_000_000} {
		var h histogram
		h.add(us)
		h.longest = 1 << 50 // not to hide the bucket
		got := h.quantile(0.5) * 1000
		if got < float64(us) || got > float64(us)*1.035 {
			t.Errorf("%d µs are taken for %v", us, got)
		}
	}
	var h histogram
	if h.summary() != nil {
		t.Error("nothing has a summary")
	}
	for us := range int64(1000) {
		h.add(us)
	}
	h.add(-5)
	h.add(1 << 60)
	s := h.summary()
	if s.P50 < 0.49 || s.P50 > 0.52 || s.P99 < 0.98 || s.P99 > 1.03 || s.Max != milliseconds(1<<60) {
		t.Errorf("%+v", s)
	}
}
