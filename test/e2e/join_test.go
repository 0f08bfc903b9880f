package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// A player that comes late gets the metadata, the sequence headers, the newest
// keyframe group and then exactly what everybody gets: nothing older.
func TestLatePlayerStartsWithTheNewestGroup(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 144, 145)
	s := stage.Start(t)
	const path = "channel/key"
	watcher := stage.Play(t, s, path).Record()
	publisher := stage.FfmpegPublish(t, mediaPath(fileAV), s.URL(path))
	before := stage.AwaitTime(t, watcher, 2300)

	late := stage.Play(t, s, path).Record()
	publisher.Succeed(mediaLength + stage.Soon)
	got := stage.AwaitEvent(t, late, 1, stage.StreamEOF)
	all := stage.AwaitEvent(t, watcher, 1, stage.StreamEOF)

	const headers = 3
	if start := stage.Events(got)[:headers+1]; !slices.Equal(start, []string{stage.Metadata, stage.VideoHeader, stage.AudioHeader, stage.Keyframe}) {
		t.Fatalf("it starts with %q", start)
	}
	first := got[headers]
	newest := before[lastIndex(before, stage.Keyframe)]
	if first.Timestamp < newest.Timestamp {
		t.Errorf("it starts with the keyframe of %d ms, the newest one was of %d ms", first.Timestamp, newest.Timestamp)
	}
	if got[0].Timestamp != 0 { // or FFmpeg takes it for a stream of data
		t.Errorf("the metadata is of %d ms", got[0].Timestamp)
	}
	for _, m := range got[1:headers] {
		if m.Timestamp != first.Timestamp {
			t.Errorf("%s is of %d ms, the keyframe of %d ms", stage.Describe(m), m.Timestamp, first.Timestamp)
		}
	}
	want := stage.Frames(all)
	from := slices.IndexFunc(want, func(m rtmp.Message) bool {
		return stage.Describe(m) == stage.Keyframe && m.Timestamp == first.Timestamp
	})
	if err := stage.SameFrames(stage.Frames(got), want[from:]); err != nil {
		t.Error(err)
	}
	for _, m := range stage.Frames(got) {
		if m.Timestamp < first.Timestamp {
			t.Errorf("%s of %d ms is older than the keyframe of %d ms", stage.Describe(m), m.Timestamp, first.Timestamp)
		}
	}
}

// With ?cache=no a player starts at the live edge, with the next keyframe.
func TestPlayerWithoutCacheStartsAtTheLiveEdge(t *testing.T) {
	t.Parallel()
	s := stage.Start(t)
	watcher := stage.Play(t, s, "channel/key").Record()
	stage.FfmpegPublish(t, mediaPath(fileVideo), s.URL("channel/key"))
	before := stage.AwaitTime(t, watcher, 1300)
	got := stage.AwaitEvent(t, stage.Play(t, s, "channel/key?cache=no").Record(), 1, stage.Keyframe)

	if start := stage.Events(got); !slices.Equal(start, []string{stage.Metadata, stage.VideoHeader, stage.Keyframe}) {
		t.Errorf("it starts with %q", start)
	}
	last := stage.Frames(before)[len(stage.Frames(before))-1]
	if first := got[len(got)-1]; first.Timestamp <= last.Timestamp {
		t.Errorf("it starts at %d ms, but was started at %d ms", first.Timestamp, last.Timestamp)
	}
}

// lastIndex returns the place of the newest message of a description.
func lastIndex(messages []rtmp.Message, what string) int {
	for i, m := range slices.Backward(messages) {
		if stage.Describe(m) == what {
			return i
		}
	}
	return -1
}

// A player stays when its publisher goes, and goes on with the next publication.
func TestPlayerGoesOnWhenThePublisherRestarts(t *testing.T) {
	t.Parallel()
	s := stage.Start(t)
	const path = "channel/key"
	player := stage.Play(t, s, path).Record()
	for range 2 {
		stage.FfmpegPublish(t, mediaPath(fileAV), s.URL(path), "-t", "1.5").Succeed(1500*time.Millisecond + stage.Soon)
	}
	got := stage.Events(stage.AwaitEvent(t, player, 2, rtmp.CodePlayUnpublishNotify))

	publication := []string{
		stage.StreamBegin, rtmp.CodePlayPublishNotify, stage.Metadata, stage.VideoHeader, stage.AudioHeader, stage.Keyframe,
		stage.StreamEOF, rtmp.CodePlayUnpublishNotify,
	}
	want := slices.Concat(publication, publication)
	// What FFmpeg says at its end is its own business.
	got = slices.DeleteFunc(got, func(event string) bool { return event == "video sequence end" })
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
