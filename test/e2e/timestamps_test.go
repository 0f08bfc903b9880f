package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// lastShort is the highest timestamp without an extended one, and the field that
// says that there is one (RTMP 1.0 section 5.3.1.3).
const lastShort = 0xFFFFFF

// A stream whose timestamps grow over 24 bits, by way of the very value that
// says so, plays through. With small chunks each message has continuations, in
// which the extended timestamp stands too.
func TestPlayersFollowTimestampsOver24Bits(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 63, 64, 214)
	s := stage.Start(t, "MAX_IP_CONCURRENT_CONNECTIONS=0", "RTMP_CHUNK_SIZE=128")
	const path = "channel/key"
	waiting := playAll(t, s, path, 0)
	modern := startFFmpeg8(t, "play", s.URL(path))
	s.AwaitLines(len(waiting)+1, 2*stage.Soon, "msg=play")

	messages := messagesOf(t, mediaPath(fileAV))
	by := lastShort - timestampAfter(messages, 2000)
	publisher := stage.Publish(t, s, path)
	publisher.Record()
	sendShifted(publisher, messages, by)

	sent := packetsOf(t, mediaPath(fileAV))
	for _, p := range waiting {
		for kind, m := range checkStored(t, p, sent) {
			if m.start != 0 {
				t.Errorf("%s missed the first %d %s packets", p.name, m.start, kind)
			}
		}
		got := packetsOf(t, p.file)["video"]
		if want := sent["video"][0].dts + int64(by); p.name != "rtmpdump" && len(got) > 0 && got[0].dts != want {
			t.Errorf("%s has the first frame at %d ms, it was sent at %d ms", p.name, got[0].dts, want)
		}
	}
	got := modern.streams(t, stage.Soon).packets
	if _, err := comparePackets(map[string][]packet{"video 0": sent["video"], "audio 0": sent["audio"]}, got); err != nil {
		t.Errorf("FFmpeg 8.1: %v", err)
	}
}

// timestampAfter is the first timestamp of at least so many milliseconds.
func timestampAfter(messages []rtmp.Message, ms uint32) uint32 {
	for _, m := range messages {
		if m.Timestamp >= ms {
			return m.Timestamp
		}
	}
	return 0
}

// sendShifted publishes messages in real time with later timestamps, and stops
// in an orderly way.
func sendShifted(c *stage.Client, messages []rtmp.Message, by uint32) {
	c.T.Helper()
	start := time.Now()
	for _, m := range messages {
		stage.Pause(c.T.Context(), time.Until(start.Add(time.Duration(m.Timestamp)*time.Millisecond)))
		m.Timestamp += by
		m.Stream = c.Stream
		if err := c.WriteMessage(m); err != nil {
			c.T.Fatal(err)
		}
	}
	unpublish(c)
}

// unpublish stops in an orderly way.
func unpublish(c *stage.Client) {
	c.T.Helper()
	stop := rtmp.Command{Name: "deleteStream", Transaction: 9, Args: []any{nil, float64(c.Stream)}}
	if err := c.WriteMessage(stop.Message(0)); err != nil {
		c.T.Fatal(err)
	}
}

// Players end by themselves, with status 0, within a second of the publisher's
// orderly stop.
func TestPlayersEndWithThePublication(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 214)
	s := stage.Start(t, "MAX_IP_CONCURRENT_CONNECTIONS=0")
	const path = "channel/key"
	all := playAll(t, s, path, 0)
	modern := startFFmpeg8(t, "play", s.URL(path))
	all = append(all, playing{modern.Program, "ffmpeg 8.1", "", 0},
		playing{stage.Ffmpeg(t, "-i", s.URL(path), "-c", "copy", "-f", "null", "-"), "ffmpeg to null", "", 0})
	s.AwaitLines(len(all), 2*stage.Soon, "msg=play")
	publisher := stage.Publish(t, s, path)
	publisher.Record()
	// Without the metadata of the file, whose length would have rtmpdump find the
	// stream too short.
	messages := slices.DeleteFunc(messagesOf(t, mediaPath(fileAV)), func(m rtmp.Message) bool { return m.Type == rtmp.TypeData })
	sendShifted(publisher, messages, 0)
	stopped := time.Now()
	for _, p := range all {
		p.Succeed(stage.Soon)
	}
	if took := time.Since(stopped); took > time.Second {
		t.Errorf("the last player ended after %v", took)
	}
}
