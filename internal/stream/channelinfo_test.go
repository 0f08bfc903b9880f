package stream

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

var testEpoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// after is a moment on the clock of the tests.
func after(d time.Duration) time.Time { return testEpoch.Add(d) }

func TestChannelsAreListedWithWhoUsesThem(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	s := newSession(r)
	p, err := r.Publish(Claim{
		Channel: "live", Key: "secret", StreamID: "id", Publisher: s, Address: "192.0.2.1:5000",
		Epoch: testEpoch, At: 3 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"live", "live", "waiting"} {
		if _, err := r.Subscribe(name, "secret", s, s); err != nil {
			t.Fatal(err)
		}
	}
	got := r.Channels(after(4 * time.Second))
	want := []ChannelInfo{
		{
			Name: "live", Key: "secret", Live: true, StreamID: "id", Publisher: "192.0.2.1:5000",
			Started: after(3 * time.Second), Viewers: 2,
		},
		{Name: "waiting", Viewers: 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	p.Interrupt()
	want[0] = ChannelInfo{Name: "live", Interrupted: true, Viewers: 2}
	if got := r.Channels(testEpoch); !reflect.DeepEqual(got, want) {
		t.Errorf("interrupted: got\n%+v\nwant\n%+v", got, want)
	}
}

// live returns what a channel with these messages looks like at a time.
func live(t *testing.T, now time.Duration, fill func(*Log)) ChannelInfo {
	t.Helper()
	r := newTestRegistry(TakeoverNever)
	p, err := r.Publish(Claim{Channel: "live", Publisher: newSession(r), Epoch: testEpoch})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	fill(p.Log())
	return r.Channels(after(now))[0]
}

func TestTheCacheIsWhatIsKept(t *testing.T) {
	l := newLog(testChunkSize, 3*smallFrame)
	for _, tokens := range []string{"vh0=A ah0=B", "v0!@10 v0@20", "v0@30", "v0@40", "v0!@50"} {
		appendAll(l, tokens)
		if got, want := l.cached(), retained(l); got != want {
			t.Errorf("after %s: %d bytes, want %d", tokens, got, want)
		}
	}
}

func TestTracksAreDescribedByTheirHeaders(t *testing.T) {
	const mp3 = "8 2F FF FB 90 64"
	video := Track{Kind: "video", Codec: "H.264", Width: 1280, Height: 720}
	audio := Track{Kind: "audio", Codec: "AAC", SampleRate: 48000, Channels: 2}
	second := video
	second.ID = 1
	announced := rtmp.Message{Type: rtmp.TypeData, Payload: append([]byte("\x02\x00\x0aonMetaData"), unhex(
		"08 00 00 00 02"+
			"00 09 66 72 61 6D 65 72 61 74 65 00 40 39 00 00 00 00 00 00"+ // framerate 25
			"00 05 77 69 64 74 68 00 40 84 00 00 00 00 00 00"+ // width 640
			"00 00 09")...)}
	for _, test := range []struct {
		name     string
		announce bool
		vectors  []string
		want     []Track
	}{
		{"nothing yet", false, nil, nil},
		{"a picture and sound", false, []string{aacHeader, avcHeader720, avcKey, aacFrame}, []Track{video, audio}},
		{"no sequence header", false, []string{mp3, mp3}, []Track{{Kind: "audio", Codec: "MP3"}}},
		{"a header that cannot be read", false, []string{avcHeader}, []Track{{Kind: "video", Codec: "H.264"}}},
		{
			"tracks of a kind", false, []string{avc1Header, aacHeader, avcHeader720},
			[]Track{video, second, audio},
		},
		{"another codec", false, []string{avcHeader720, "9 90 68 76 63 31 01 01"}, []Track{{Kind: "video", Codec: "H.265"}}},
		{
			"the metadata", true, []string{"9 22 00 00"},
			[]Track{{Kind: "video", Codec: "Sorenson H.263", Width: 640, FrameRate: 25}},
		},
		{"the metadata of one of many", true, []string{avc1Header, avcHeader720}, []Track{video, second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			info := live(t, 0, func(l *Log) {
				if test.announce {
					l.Append(announced, 0)
				}
				appendVectors(l, test.vectors)
			})
			if !reflect.DeepEqual(info.Tracks, test.want) {
				t.Errorf("got\n%+v\nwant\n%+v", info.Tracks, test.want)
			}
		})
	}
}

const avcHeader720 = "9 17 00 00 00 00 01 42 C0 1F FF E1 00 09 67 42 C0 1F DA 01 40 16 E4 01 00 04 68 CE 3C 80"

func TestTheFlowOfMedia(t *testing.T) {
	for _, test := range []struct {
		name string
		log  string
		now  time.Duration
		want Flow
	}{
		{name: "nothing"},
		{
			name: "keyframes apart", log: "v0!@1000 v0@1500 v0!@3000 v0!@3500 a0@3500", now: 3500 * time.Millisecond,
			want: Flow{
				VideoMessages: 4, AudioMessages: 1, Keyframes: 3,
				KeyframeInterval: 500 * time.Millisecond, LongestInterval: 2 * time.Second,
				Stalls: 1, LongestStall: 1500 * time.Millisecond, RecentStalls: 1, Bytes: 27,
				LastKeyframe: after(3500 * time.Millisecond),
				LastVideo:    after(3500 * time.Millisecond), LastAudio: after(3500 * time.Millisecond),
			},
		},
		{
			name: "rates leave the present second out", log: "meta=X v0!@0 v0@500 v0@1000 v0@1500 v0@2000 v0@2500 v0@3000",
			now: 3 * time.Second,
			want: Flow{
				VideoMessages: 7, Data: 1, Keyframes: 1, Bytes: 70, Bitrate: 2 * 6 * 8, FrameRate: 2,
				VideoBitrate: 2 * 6 * 8, LastKeyframe: testEpoch, LastVideo: after(3 * time.Second),
			},
		},
		{
			name: "the first second stands for itself", log: "v0!@0 v0@500", now: time.Second,
			want: Flow{
				VideoMessages: 2, Keyframes: 1, Bytes: 12, Bitrate: 96, VideoBitrate: 96, FrameRate: 2,
				LastKeyframe: testEpoch, LastVideo: after(500 * time.Millisecond),
			},
		},
		{
			name: "long ago", log: "v0!@0", now: time.Minute,
			want: Flow{VideoMessages: 1, Keyframes: 1, Bytes: 6, LastKeyframe: testEpoch, LastVideo: testEpoch},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := live(t, test.now, func(l *Log) { appendAll(l, test.log) }).Flow
			if test.name == "keyframes apart" {
				got.Bitrate, got.FrameRate, got.VideoBitrate, got.AudioBitrate = 0, 0, 0, 0
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, test.want)
			}
		})
	}
}

func TestRatesAreThoseOfEachKind(t *testing.T) {
	got := live(t, 3*time.Second, func(l *Log) { appendAll(l, "v0!@0 a0@100 v0@1000 v0@1500 a0@2000 meta=X@2500") }).Flow
	if got.VideoBitrate != 48 || got.AudioBitrate != 12 || got.Bitrate <= 60 {
		t.Errorf("%v bit/s of video, %v of audio, %v of all", got.VideoBitrate, got.AudioBitrate, got.Bitrate)
	}
}

func TestWhatHappenedOfLateIsCounted(t *testing.T) {
	for _, test := range []struct {
		name   string
		log    string
		now    time.Duration
		stalls int
	}{
		{"nothing", "v0!@0 v0@500", time.Second, 0},
		{"stalls", "v0!@0 v0@1500 v0@3000", 3 * time.Second, 2},
		{"stalls of which one is long ago", "v0!@0 v0@1500 v0@3000", 62 * time.Second, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := live(t, test.now, func(l *Log) { appendAll(l, test.log) }).Flow
			if got.RecentStalls != test.stalls || got.RecentRepairs != 0 {
				t.Errorf("%d stalls and %d repairs", got.RecentStalls, got.RecentRepairs)
			}
		})
	}
	jumping := live(t, 2*time.Minute, func(l *Log) {
		for i := range uint32(2 * RecentMost) {
			l.Append(rtmp.Message{Type: rtmp.TypeVideo, Timestamp: i * 60_000, Payload: unhex("27 01 00 00 00 2E")}, 2*time.Minute)
		}
	}).Flow
	if jumping.RecentRepairs != RecentMost {
		t.Errorf("%d of many jumps, want %d", jumping.RecentRepairs, RecentMost)
	}
}

func TestAnnouncementsShow(t *testing.T) {
	metadata := append([]byte("\x02\x00\x0aonMetaData"), unhex(
		"08 00 00 00 02"+
			"00 0D 76 69 64 65 6F 64 61 74 61 72 61 74 65 00 40 A3 88 00 00 00 00 00"+ // videodatarate 2500
			"00 0C 61 75 64 69 6F 63 6F 64 65 63 69 64 00 40 24 00 00 00 00 00 00"+ // audiocodecid 10
			"00 00 09")...)
	got := live(t, 0, func(l *Log) { l.Append(rtmp.Message{Type: rtmp.TypeData, Payload: metadata}, 0) }).Announced
	if want := (Announcement{Audio: true, VideoBitrate: 2.5e6}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPlayersToWhomDelayMattersAreCounted(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	session := newSession(r)
	var subscriptions []*Subscription
	for range 3 {
		s, err := r.Subscribe("live", "key", session, session)
		if err != nil {
			t.Fatal(err)
		}
		subscriptions = append(subscriptions, s)
	}
	count := func(want int) {
		t.Helper()
		if got := r.Channels(testEpoch)[0].LowLatency; got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	count(0)
	subscriptions[0].Hurry()
	subscriptions[0].Hurry()
	subscriptions[1].Hurry()
	count(2)
	subscriptions[0].Close()
	subscriptions[0].Close()
	subscriptions[0].Hurry()
	count(1)
}

func TestBFramesShow(t *testing.T) {
	for vector, want := range map[string]bool{avcKey: false, avc1Key: true, aacFrame: false} {
		if got := live(t, 0, func(l *Log) { appendVectors(l, []string{vector}) }).Flow.BFrames; got != want {
			t.Errorf("%s: %v", vector, got)
		}
	}
}

func TestChannelsCanBeListedWhileTheyArePublished(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	p := publish(t, r, newSession(r), Claim{})
	var running sync.WaitGroup
	done := make(chan struct{})
	running.Go(func() {
		defer close(done)
		for n := range 2000 {
			token := [...]string{"v0!", "v0", "a0", "vh0=A", "meta=X"}[n%5]
			p.Append(message(token), time.Duration(n)*time.Millisecond)
		}
		p.Close()
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			r.Channels(testEpoch)
		}
	}
	running.Wait()
}

func TestClientNamesAreCut(t *testing.T) {
	long := string(make([]byte, MaxClient+1))
	if got := ClientName(long); len(got) != MaxClient {
		t.Errorf("%d bytes kept", len(got))
	}
	if got := ClientName("FMLE/3.0"); got != "FMLE/3.0" {
		t.Errorf("got %q", got)
	}
}

func TestAPlaceIsHowFarACursorIsBehindTheHead(t *testing.T) {
	l := newLog(testChunkSize, plenty)
	appendAll(l, "v0!@10 v0@20")
	c := l.Cursor(AtGroup)
	if n, since := c.Passed(); n != 0 || since != 20*time.Millisecond {
		t.Errorf("a newcomer has passed %d messages since %v", n, since)
	}
	drain(c)
	appendAll(l, "v0@50")
	if n, since := c.Passed(); n != 2 || since != 20*time.Millisecond {
		t.Errorf("it has passed %d messages since %v", n, since)
	}
	n, _ := c.Passed()
	if got, want := l.Held(n, c.Position()), int64(len(l.tail.Load().chunks))+messageOverhead; got != want {
		t.Errorf("%d bytes are held for it, want %d", got, want)
	}
	drain(c)
	n, _ = c.Passed()
	if got := l.Held(n, c.Position()); got != 0 {
		t.Errorf("%d bytes are held for a viewer who has everything", got)
	}
	if n, arrival := l.Head(); n != 3 || arrival != 50*time.Millisecond {
		t.Errorf("the head is %d at %v", n, arrival)
	}
}
