package bench

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/media"
)

// film is FLV of three tags.
func film() []byte {
	b := media.AppendFLVHeader(nil, true, true)
	b = media.AppendTag(b, media.TagVideo, 1, make([]byte, 3*headSize))
	b = media.AppendTag(b, media.TagAudio, 2, []byte("sound"))
	b = media.AppendTag(b, media.TagVideo, 3, nil)
	return media.AppendTag(b, media.TagScript, 4, []byte("script"))
}

const filmText = "9:192 8:5 18:6 "

// framed cuts bytes into WebSocket messages, with a ping between.
func framed(b []byte) []byte {
	first := b[:20]
	out := append([]byte{0x82, byte(len(first))}, first...)
	out = append(out, 0x89, 1, 'p')
	rest := b[20:]
	out = append(out, 0x82, 126, byte(len(rest)>>8), byte(len(rest)))
	out = append(out, rest...)
	return append(out, 0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0)
}

// chunked cuts bytes into two chunks.
func chunked(b []byte) string {
	return fmt.Sprintf("14\r\n%s\r\n%X\r\n%s\r\n", b[:20], len(b)-20, b[20:])
}

func TestTagsAreFoundInPiecesOfAnySize(t *testing.T) {
	for _, c := range []struct {
		way  web
		text string
	}{
		{webHTTP, "HTTP/1.1 200 OK\r\nA: b\r\n\r\n" + string(film())},
		{webHTTP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(film())},
		{webSocket, "HTTP/1.1 101 Switching Protocols\r\n\r\n" + string(framed(film()))},
	} {
		for piece := 1; piece <= len(c.text); piece++ {
			var w webParser
			w.request(&target{web: c.way}, nil)
			var got strings.Builder
			for rest := c.text; rest != ""; rest = rest[min(piece, len(rest)):] {
				if err := w.feed([]byte(rest[:min(piece, len(rest))]), func(m arrival) {
					_, _ = fmt.Fprintf(&got, "%d:%d ", m.kind, m.length)
				}); err != nil {
					t.Fatal(err)
				}
			}
			if got.String() != filmText {
				t.Fatalf("in pieces of %d: %q, want %q", piece, got.String(), filmText)
			}
		}
	}
}

func TestAnswersThatAreNoStream(t *testing.T) {
	for _, c := range []struct {
		way  web
		text string
		want error
	}{
		{webHTTP, "HTTP/1.1 404 Not Found\r\n\r\n", errAnswer},
		{webSocket, "HTTP/1.1 200 OK\r\n\r\n", errAnswer},
		{webHTTP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errAnswer},
		{webHTTP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 2*maxLine), errAnswer},
		{webSocket, "HTTP/1.1 101 X\r\n\r\n\x88\x00", errAnswer},
		{webHTTP, "HTTP/1.1 200 OK\r\n\r\nabcdefghijkl", errFLV},
		{webHTTP, strings.Repeat("x", 2*maxAnswer), errAnswer},
	} {
		var w webParser
		w.request(&target{web: c.way}, nil)
		if err := w.feed([]byte(c.text), func(arrival) {}); !errors.Is(err, c.want) {
			t.Errorf("%.40q: %v, want %v", c.text, err, c.want)
		}
	}
}

func TestWebTargets(t *testing.T) {
	for raw, want := range map[string]target{
		"http://h/live/key.flv":         {host: "h", addr: "h:80", name: "/live/key.flv", web: webHTTP},
		"wss://h:8443/live/key.flv?a=b": {secure: true, host: "h", addr: "h:8443", name: "/live/key.flv?a=b", web: webSocket},
	} {
		if got, err := parseTarget(raw); err != nil || got != want {
			t.Errorf("%s: %+v, %v", raw, got, err)
		}
	}
	o := Defaults()
	o.URL = "http://h/live/key.flv"
	if _, err := o.check(); err == nil {
		t.Error("something can be published over HTTP")
	}
}
