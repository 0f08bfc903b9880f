package httpflv

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// burst appends groups of a second each, which arrive at once as far as the reader
// is concerned: a keyframe and 9 frames of the given size.
func (p *publisher) burst(groups, size int) {
	frame := func(first byte) {
		p.at += 100
		payload := append([]byte{first, 1, 0, 0, 0}, make([]byte, size)...)
		p.Append(rtmp.Message{Type: rtmp.TypeVideo, Timestamp: p.at, Payload: payload}, time.Duration(p.at)*time.Millisecond)
	}
	for range groups {
		frame(0x17)
		for range 9 {
			frame(0x27)
		}
		p.Flush()
	}
}

// goOn appends groups until it is stopped: whatever is between the server and the
// viewer is full at some point.
func (p *publisher) goOn() (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.burst(1, 60_000)
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-ended }
}

// TestASlowViewerMissesWholeGroups has a viewer read again after it fell behind: it
// goes on at a keyframe, with the headers in front.
func TestASlowViewerMissesWholeGroups(t *testing.T) {
	f := newFixture(t, nil)
	p := f.publish("live")
	p.send("VAK")
	c := rawHTTP(t, f.addr)
	film := open(t, bodyOf(t, c), "5")
	film.want("VAK")
	p.burst(80, 20_000)
	go p.end()
	skipped, inter := false, byte(0x27)
	last := uint32(0)
	for {
		tag, err := film.tag()
		if err != nil {
			break
		}
		if last != 0 && tag.Timestamp > last+1000 {
			skipped = true
			if tag.Payload[0] == inter && tag.Payload[1] != 0 {
				t.Fatalf("at %d ms it goes on with % x", tag.Timestamp, tag.Payload[:5])
			}
		}
		last = tag.Timestamp
	}
	if !skipped {
		t.Error("nothing was skipped")
	}
	f.log.await(t, "player too slow", "messages_skipped=")
	f.log.await(t, "msg=end", "messages_skipped=")
}

func rawHTTP(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, _ = io.WriteString(c, "GET /live/secret.flv HTTP/1.0\r\nHost: x\r\n\r\n")
	return c
}

// bodyOf passes over the header of an answer.
func bodyOf(t *testing.T, c net.Conn) io.Reader {
	t.Helper()
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b...) {
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatalf("after %q: %v", head, err)
		}
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200")) || !bytes.Contains(head, []byte("Connection: close\r\n")) {
		t.Fatalf("got %q", head)
	}
	return c
}

// TestAViewerThatDoesNotReadIsCutOff waits for as long as that takes.
func TestAViewerThatDoesNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"http", "http2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			p := f.publish("live")
			p.send("VAK")
			if name == "http" {
				open(t, bodyOf(t, rawHTTP(t, f.addr)), "5")
			} else {
				r, err := insecure(t, true).Get("https://" + f.serveTLS() + "/live/secret.flv")
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = r.Body.Close() }()
				if r.StatusCode != http.StatusOK {
					t.Fatal(r.Status)
				}
				open(t, r.Body, "5")
			}
			began := time.Now()
			stop := p.goOn()
			f.log.await(t, "msg=end", string(stream.ReasonStalled))
			stop()
			if took := time.Since(began); took < stallTimeout/2 || took > 2*stallTimeout {
				t.Errorf("that took %v", took)
			}
		})
	}
}
