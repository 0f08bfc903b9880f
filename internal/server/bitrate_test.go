package server

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// pump sends media at a bitrate for some time, in 25 frames a second, or until
// the connection ends, and returns for how long it could.
func pump(client *rtmp.Client, mbps float64, duration time.Duration) time.Duration {
	const fps = 25
	start := time.Now()
	for i := range int(duration.Seconds() * fps) {
		m := frame(0x17, uint32(i*1000/fps), int(mbps*1e6/8/fps))
		if client.WriteMessage(m) != nil {
			break
		}
		time.Sleep(time.Second / fps)
	}
	return time.Since(start)
}

func TestPublishersWithinTheBitrateStay(t *testing.T) {
	const limit = 8
	for _, test := range []struct {
		name  string
		limit int
		play  func(*rtmp.Client)
	}{
		{"a steady stream", limit, func(c *rtmp.Client) { pump(c, limit*0.98, time.Minute) }},
		{"what was held up for some seconds", limit, func(c *rtmp.Client) {
			for range 3 {
				pump(c, limit*4.8*25, time.Second/25)
				pump(c, limit/2, 15*time.Second)
			}
		}},
		{"any bitrate without a limit", 0, func(c *rtmp.Client) { pump(c, limit*8, 10*time.Second) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(o *Options) { o.MaxBitrate = test.limit })
				defer f.stop()
				client, conn := f.publish("live", "key")
				defer func() { _ = conn.Close() }()
				go func() { _ = drain(conn) }()
				test.play(client)
				synctest.Wait()
				f.wantLog("msg=end", 0)
			})
		})
	}
}

func TestPublishersBeyondTheBitrateAreClosed(t *testing.T) {
	for _, test := range []struct {
		name     string
		mbps     float64
		from, to time.Duration
		rate     string
	}{
		{name: "twice as much", mbps: 16, from: 4 * time.Second, to: 6 * time.Second, rate: "16."},
		{name: "as fast as it goes", mbps: 8 * 5 * 25, to: time.Second, rate: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(o *Options) { o.MaxBitrate = 8 })
				defer f.stop()
				client, conn := f.publish("live", "key")
				heard := hear(client)
				took := pump(client, test.mbps, 20*time.Second)
				if took < test.from || took > test.to {
					t.Errorf("closed after %v, want %v to %v", took, test.from, test.to)
				}
				_ = conn.Close()
				synctest.Wait()
				f.wantLog(`reason="bitrate too high"`, 1)
				f.wantLog(`detail="`+test.rate, 1)
				f.wantLog(` Mbit/s, at most 8 are allowed"`, 1)
				if text := lastStatus(heard()); text.Code != rtmp.CodePublishDenied || !strings.Contains(text.Description, "at most 8 are allowed") {
					t.Errorf("the publisher heard %v", text)
				}
			})
		})
	}
}

// lastStatus is what a client heard last of its stream.
func lastStatus(heard []rtmp.Message) (last rtmp.Status) {
	for _, m := range heard {
		if m.Type != rtmp.TypeCommand {
			continue
		}
		if c, err := rtmp.ParseCommand(m); err == nil && c.Name == rtmp.CommandOnStatus {
			last, _ = rtmp.ParseStatus(c)
		}
	}
	return last
}

func TestCountingBitsTakesNoMemory(t *testing.T) {
	var b bucket
	now := time.Duration(0)
	if n := testing.AllocsPerRun(100, func() {
		now += time.Millisecond
		b.spend(now, time.Microsecond, bitrateWindow)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
