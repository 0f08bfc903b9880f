package e2e

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// FFmpeg stores what it gets through a link that carries a fifth of the stream.
// What is in the file decodes without a complaint, and to the very pictures that
// were published: none is built on another that is missing.
func TestSlowFFmpegStoresWholePictures(t *testing.T) {
	t.Parallel()
	const path = spoiledChannel + "/key"
	n := newNetwork(t)
	file := filepath.Join(t.TempDir(), "slow.flv")
	var s *server
	var witness *journal[rtmp.Message]
	var player, publisher *program
	n.server.do(func() {
		s = startServer(t, "BIND_ADDRESS="+serverHost, "MAX_IP_CONCURRENT_CONNECTIONS=0", "PUBLISH_GRACE_SECONDS=0")
		witness = play(t, s, path).record()
	})
	n.viewer.do(func() {
		player = ffmpeg(t, "-i", s.url(path), "-c", "copy", "-copyts", "-f", "flv", file)
	})
	id := attr(s.awaitLine("msg=play", " addr="+viewerHost+":"), "id")
	n.server.do(func() {
		publisher = ffmpeg(t, "-re", "-stream_loop", "-1", "-i", mediaPath(fileHeavy), "-t", "13", "-c", "copy",
			"-f", "flv", s.url(path))
	})
	awaitEvent(t, witness, 1, keyframe)
	n.narrow(slowRate)
	s.awaitLines(1, 20*time.Second, "too slow", " id="+id+" ")
	publisher.succeed(20 * time.Second)
	n.widen()
	player.succeed(2 * soon)

	all := awaitEvent(t, witness, 1, streamEOF)
	if missed := len(frames(all)) - len(framesOf(t, file)); missed < 100 {
		t.Errorf("the slow viewer missed %d of %d frames", missed, len(frames(all)))
	} else {
		t.Logf("the slow viewer missed %d of %d frames", missed, len(frames(all)))
	}
	s.skipLines(id, viewerHost)
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
