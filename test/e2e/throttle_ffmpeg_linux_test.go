package e2e

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// FFmpeg stores what it gets through a link that carries a fifth of the stream.
// What is in the file decodes without a complaint, and to the very pictures that
// were published: none is built on another that is missing.
func TestSlowFFmpegStoresWholePictures(t *testing.T) {
	t.Parallel()
	const path = spoiledChannel + "/key"
	n := stage.NewNetwork(t)
	file := filepath.Join(t.TempDir(), "slow.flv")
	var s *stage.Server
	var witness *stage.Journal[rtmp.Message]
	var player, publisher *stage.Program
	n.Server.Do(func() {
		s = stage.Start(t, "BIND_ADDRESS="+stage.ServerHost, "MAX_IP_CONCURRENT_CONNECTIONS=0", "PUBLISH_GRACE_SECONDS=0")
		witness = stage.Play(t, s, path).Record()
	})
	n.Viewer.Do(func() {
		player = stage.Ffmpeg(t, "-i", s.URL(path), "-c", "copy", "-copyts", "-f", "flv", file)
	})
	id := stage.Attr(s.AwaitLine("msg=play", " addr="+stage.ViewerHost+":"), "id")
	n.Server.Do(func() {
		publisher = stage.Ffmpeg(t, "-re", "-stream_loop", "-1", "-i", mediaPath(fileHeavy), "-t", "13", "-c", "copy",
			"-f", "flv", s.URL(path))
	})
	stage.AwaitEvent(t, witness, 1, stage.Keyframe)
	n.Narrow(slowRate)
	s.AwaitLines(1, 20*time.Second, "too slow", " id="+id+" ")
	publisher.Succeed(20 * time.Second)
	n.Widen()
	player.Succeed(2 * stage.Soon)

	all := stage.AwaitEvent(t, witness, 1, stage.StreamEOF)
	if missed := len(stage.Frames(all)) - len(framesOf(t, file)); missed < 100 {
		t.Errorf("the slow viewer missed %d of %d frames", missed, len(stage.Frames(all)))
	} else {
		t.Logf("the slow viewer missed %d of %d frames", missed, len(stage.Frames(all)))
	}
	skipLines(s, id, stage.ViewerHost)
	checkStart(t, file)
	checkDecodes(t, file)
	checkPictures(t, file, mediaPath(fileHeavy))
}

// checkPictures wants each video packet of a file to decode to the picture that
// it decodes to in the source, where all others are there as well. Neither has
// B-frames, so that pictures come in the order of the packets.
func checkPictures(t *testing.T, file, source string) {
	t.Helper()
	packets := placesOf(packetsOf(t, source)["video"], packetsOf(t, file)["video"])
	pictures := placesOf(picturesOf(t, source), picturesOf(t, file))
	if len(packets) == 0 || slices.Contains(packets, -1) || !reflect.DeepEqual(packets, pictures) {
		t.Errorf("the file has the video packets\n%v\nof the source, but its pictures are\n%v", packets, pictures)
	}
}

// placesOf returns where the source has each packet, or -1.
func placesOf(source, list []packet) []int {
	known := make(map[string]int)
	for i, p := range source {
		known[p.hash] = i
	}
	places := make([]int, len(list))
	for i, p := range list {
		place, ok := known[p.hash]
		if !ok {
			place = -1
		}
		places[i] = place
	}
	return places
}
