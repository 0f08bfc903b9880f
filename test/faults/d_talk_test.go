package faults

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// D8: what players say is read to the end, and those are closed who say too much.
func TestPlayersThatTalk(t *testing.T) {
	t.Parallel()
	f := begin(t, "D8")
	n := f.scale(5, 50)
	ctx, stop := context.WithTimeout(f.Context(), time.Duration(f.scale(4, 60))*time.Second)
	defer stop()
	var running sync.WaitGroup
	var said atomic.Int64
	for i := range n { // within what is fine: an acknowledgement for each 64 KiB, and pings
		c := f.watches(i, stage.CanaryChannel)
		seen := c.Record()
		running.Go(func() {
			for k := uint32(0); stage.Pause(ctx, 125*time.Millisecond); k++ {
				m := rtmp.Acknowledgement(64 << 10 * k)
				if k%2 == 0 {
					m = rtmp.UserControl(rtmp.EventPingRequest, k)
				}
				if err := c.WriteMessage(m); err != nil {
					f.Errorf("a player that acknowledges was closed: %v", err)
					return
				}
				said.Add(1)
			}
			pongs := 0
			for _, m := range seen.All() {
				if event, _, ok := rtmp.ParseUserControl(m); ok && event == rtmp.EventPingResponse {
					pongs++
				}
			}
			if pongs == 0 {
				f.Error("no ping was answered")
			}
		})
	}
	const noise = 2 // players that send media of their own, 1 MB/s of it
	for i := range noise {
		c := f.watches(n+i, stage.CanaryChannel)
		c.Record()
		running.Go(func() {
			_, err := show{size: 20_000, every: 20 * time.Millisecond}.run(ctx, c)
			if err != nil {
				f.Errorf("a player that sends media was closed: %v", err)
			}
		})
	}
	unread := int64(0)
	for stage.Pause(ctx, 100*time.Millisecond) {
		unread = max(unread, f.kernel().unread)
	}
	running.Wait()
	f.figure("players", n+noise)
	f.figure("control messages", said.Load())
	f.figure("most unread", fmt.Sprint(unread, " bytes"))
	if unread > 1<<20 { // half a second of what is on its way, on a busy machine
		f.Errorf("%d bytes were not read", unread)
	}
	for reason, m := range map[string]rtmp.Message{
		"too many control messages":          rtmp.UserControl(rtmp.EventPingRequest, 1),
		"too many messages of unknown types": {Type: 77, ChunkStream: 8, Payload: make([]byte, 100)},
	} {
		f.floods(reason, func(c *stage.Client, _ int) error { return c.WriteMessage(m) })
	}
}

// floods has a player say something until it is closed, which has to be soon and for
// a reason.
func (f *fault) floods(reason string, say func(c *stage.Client, n int) error) {
	f.Helper()
	before := f.ended(reason)
	c := f.watches(400, stage.CanaryChannel)
	c.Record()
	start, said := time.Now(), 0
	for time.Since(start) < stage.Soon && say(c, said) == nil {
		said++
	}
	took := time.Since(start)
	f.awaitEnded(reason, before+1, stage.Soon)
	f.figure(reason+" after", took.Round(time.Millisecond))
	if took >= stage.Soon {
		f.Errorf("%d messages were taken: %s", said, reason)
	}
}

// D13: the messages of a player that changes its mind all the time.
func TestPlayersThatChangeTheirMind(t *testing.T) {
	t.Parallel()
	f := begin(t, "D13")
	command := func(name string, args ...any) func(*stage.Client, int) error {
		return func(c *stage.Client, n int) error {
			all := append([]any{n%2 == 0}, args...)
			return c.WriteMessage(rtmp.Command{Name: name, Args: all}.Message(c.Stream))
		}
	}
	kinds := map[string]func(*stage.Client, int) error{
		"pause":        command("pause", 0.0),
		"receiveVideo": command("receiveVideo"),
		"receiveAudio": command("receiveAudio"),
	}
	for name, say := range kinds {
		f.floods("too many control messages", say)
		c := f.watches(1, stage.CanaryChannel)
		seen := c.Record()
		flips := f.scale(20, 400)
		if name != "pause" {
			flips++ // ends with true, which here is on
		}
		for n := range flips {
			if err := say(c, n); err != nil {
				f.Fatalf("%s: closed after %d times: %v", name, n, err)
			}
			stage.Pause(f.bounded(), 60*time.Millisecond)
		}
		f.goesOn(name, seen)
	}
	f.figure("kinds", len(kinds))
}

// goesOn wants the canary to come to a player once more, beginning with a keyframe,
// and in order.
func (f *fault) goesOn(name string, seen *stage.Journal[rtmp.Message]) {
	f.Helper()
	from := len(seen.All())
	frames, next := 0, -1
	at := 0
	if _, ok := seen.Await(2*stage.Soon, func(m rtmp.Message) bool {
		if at++; m.Type != rtmp.TypeVideo {
			return false
		}
		n := int(binary.BigEndian.Uint32(m.Payload[5:]))
		if n != next && m.Payload[0] != 0x17 || n < next {
			f.Errorf("%s: message %d follows message %d, and is no keyframe", name, n, next-1)
		}
		next = n + 1
		if at > from {
			frames++
		}
		return frames >= 25
	}); !ok {
		f.Errorf("%s: the stream does not go on", name)
	}
}

// metadata is what an encoder says of its stream, with a number in it and padded.
func metadata(stream uint32, number, padding int) rtmp.Message {
	payload := amf.Append(amf.Append(nil, "@setDataFrame"), "onMetaData")
	payload = amf.Append(payload, amf.ECMAArray{
		{Name: "width", Value: float64(number)}, {Name: "encoder", Value: strings.Repeat("x", padding)},
	})
	return rtmp.Message{Type: rtmp.TypeData, ChunkStream: 4, Stream: stream, Payload: payload}
}

// D9: headers that change all the time, and such as are too long.
func TestFloodsOfMetadataAndHeaders(t *testing.T) {
	t.Parallel()
	f := begin(t, "D9")
	seen := f.watches(1, "churn").Record()
	c, _ := f.publishes("churn")
	const most = 100 + 10*(5+1) // at once, and in the seconds that it may take
	n := f.scale(1500, 10_000)
	start := time.Now()
	for k := range n {
		m := metadata(c.Stream, k, 10)
		if k%2 == 0 {
			m = pictureHeader(c.Stream, byte(k))
			m.Payload = append(m.Payload, byte(k>>8), byte(k>>16))
		}
		if err := c.WriteMessage(m); err != nil {
			f.Fatalf("after %d headers: %v", k, err)
		}
	}
	if err := c.WriteMessage(metadata(c.Stream, 1, 60_000)); err != nil { // too many by now
		f.Error(err)
	}
	if err := c.WriteMessage(metadata(c.Stream, 1, 65_000)); err != nil { // too long in any case
		f.Error(err)
	}
	took := time.Since(start)
	for k := range 3 {
		if err := c.WriteMessage((show{size: 1000, every: 40 * time.Millisecond, group: 25}).frame(c.Stream, k)); err != nil {
			f.Error(err)
		}
	}
	headers := 0
	for _, m := range stage.AwaitEvent(t, seen, 1, stage.Keyframe) {
		if what := stage.Describe(m); what == stage.Metadata || what == stage.VideoHeader {
			headers++
		}
	}
	f.figure("headers", n)
	f.figure("passed on", headers)
	if headers < 100 || took < 5*time.Second && headers > most {
		f.Errorf("%d headers were passed on in %v", headers, took)
	}
	_ = c.Conn.Close()
	end := f.server.AwaitLine("msg=end", "role=publisher", "channel=churn")
	f.figure("ignored", stage.Attr(end, "messages_ignored"))
	if stage.Attr(end, "messages_ignored") != fmt.Sprint(n-headers+2) {
		f.Errorf("%d of %d were passed on: %s", headers, n, end)
	}
	long, _ := f.publishes("long")
	_ = long.WriteMessage(rtmp.Message{Type: rtmp.TypeData, ChunkStream: 4, Stream: long.Stream, Payload: make([]byte, 1<<20+1)})
	f.awaitEnded("limit exceeded", 1, stage.Soon)
}
