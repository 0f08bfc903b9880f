package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// A player that comes late gets the metadata, the sequence headers, the newest
// keyframe group and then exactly what everybody gets: nothing older.
func TestLatePlayerStartsWithTheNewestGroup(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 144, 145)
	s := startServer(t)
	const path = "channel/key"
	watcher := play(t, s, path).record()
	publisher := ffmpegPublish(t, mediaPath(fileAV), s.url(path))
	before := awaitTime(t, watcher, 2300)

	late := play(t, s, path).record()
	publisher.succeed(mediaLength + soon)
	got := awaitEvent(t, late, 1, streamEOF)
	all := awaitEvent(t, watcher, 1, streamEOF)

	const headers = 3
	if start := events(got)[:headers+1]; !slices.Equal(start, []string{metadata, videoHeader, audioHeader, keyframe}) {
		t.Fatalf("it starts with %q", start)
	}
	first := got[headers]
	newest := before[lastIndex(before, keyframe)]
	if first.Timestamp < newest.Timestamp {
		t.Errorf("it starts with the keyframe of %d ms, the newest one was of %d ms", first.Timestamp, newest.Timestamp)
	}
	if got[0].Timestamp != 0 { // or FFmpeg takes it for a stream of data
		t.Errorf("the metadata is of %d ms", got[0].Timestamp)
	}
	for _, m := range got[1:headers] {
		if m.Timestamp != first.Timestamp {
			t.Errorf("%s is of %d ms, the keyframe of %d ms", describe(m), m.Timestamp, first.Timestamp)
		}
	}
	want := frames(all)
	from := slices.IndexFunc(want, func(m rtmp.Message) bool {
		return describe(m) == keyframe && m.Timestamp == first.Timestamp
	})
	if err := sameFrames(frames(got), want[from:]); err != nil {
		t.Error(err)
	}
	for _, m := range frames(got) {
		if m.Timestamp < first.Timestamp {
			t.Errorf("%s of %d ms is older than the keyframe of %d ms", describe(m), m.Timestamp, first.Timestamp)
		}
	}
}

// With ?cache=no a player starts at the live edge, with the next keyframe.
func TestPlayerWithoutCacheStartsAtTheLiveEdge(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	watcher := play(t, s, "channel/key").record()
	ffmpegPublish(t, mediaPath(fileVideo), s.url("channel/key"))
	before := awaitTime(t, watcher, 1300)
	got := awaitEvent(t, play(t, s, "channel/key?cache=no").record(), 1, keyframe)

	if start := events(got); !slices.Equal(start, []string{metadata, videoHeader, keyframe}) {
		t.Errorf("it starts with %q", start)
	}
	last := frames(before)[len(frames(before))-1]
	if first := got[len(got)-1]; first.Timestamp <= last.Timestamp {
		t.Errorf("it starts at %d ms, but was started at %d ms", first.Timestamp, last.Timestamp)
	}
}

// lastIndex returns the place of the newest message of a description.
func lastIndex(messages []rtmp.Message, what string) int {
	for i, m := range slices.Backward(messages) {
		if describe(m) == what {
			return i
		}
	}
	return -1
}

// A player stays when its publisher goes, and goes on with the next publication.
func TestPlayerGoesOnWhenThePublisherRestarts(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const path = "channel/key"
	player := play(t, s, path).record()
	for range 2 {
		ffmpegPublish(t, mediaPath(fileAV), s.url(path), "-t", "1.5").succeed(1500*time.Millisecond + soon)
	}
	got := events(awaitEvent(t, player, 2, rtmp.CodePlayUnpublishNotify))

	publication := []string{
		streamBegin, rtmp.CodePlayPublishNotify, metadata, videoHeader, audioHeader, keyframe,
		streamEOF, rtmp.CodePlayUnpublishNotify,
	}
	want := slices.Concat(publication, publication)
	// What FFmpeg says at its end is its own business.
	got = slices.DeleteFunc(got, func(event string) bool { return event == "video sequence end" })
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
