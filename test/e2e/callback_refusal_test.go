package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

const (
	// refusalLimit is within what a publisher has to be refused and closed,
	// whatever the backend does.
	refusalLimit = 5500 * time.Millisecond
	// failuresInARow is how many failures make the server spare the backend,
	// which then fails no further test.
	failuresInARow = 5

	accepting = "HTTP/1.1 200 OK\r\nConnection: close\r\nstream-id: S-GIVEN\r\n"
	denying   = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n"
	empty     = "Content-Length: 0\r\n\r\n"
)

// refusal is an answer to a start that is no permission.
type refusal struct {
	name   string
	answer stage.Misbehaviour
	// fails says that the server takes it for a failure of the backend.
	fails bool
	// stops says that the backend takes the start for accepted, so that the
	// server has to tell it of the end.
	stops bool
}

func refuses(name, reply string) refusal { return refusal{name: name, answer: stage.Says(reply)} }

func fails(name string, answer stage.Misbehaviour) refusal {
	return refusal{name: name, answer: answer, fails: true}
}

// withStatus answers with a status and a stream id that is in order.
func withStatus(status int, headers ...string) refusal {
	reply := fmt.Sprintf("HTTP/1.1 %03d Status\r\nConnection: close\r\nstream-id: S-GIVEN\r\n", status)
	for _, header := range headers {
		reply += header + "\r\n"
	}
	r := refuses(fmt.Sprint(status, " ", strings.Join(headers, " ")), reply+empty)
	r.fails = status >= http.StatusInternalServerError
	return r
}

// withIDs answers with status 200 and the given stream ids.
func withIDs(name string, ids ...string) refusal {
	reply := "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	for _, id := range ids {
		reply += "stream-id: " + id + "\r\n"
	}
	return refuses(name, reply+empty)
}

// refusals lists the answers; elsewhere is an address that redirects lead to.
func refusals(elsewhere string) []refusal {
	list := []refusal{
		withIDs("no stream-id"),
		withIDs("empty stream-id", ""),
		withIDs("stream-id with a space", "a b"),
		withIDs("stream-id with a slash", "a/b"),
		withIDs("stream-id beyond ASCII", "é"),
		withIDs("stream-id of 257 characters", strings.Repeat("x", 257)),
		withIDs("stream-id of 60 KiB", strings.Repeat("x", 60<<10)),
		withIDs("two stream-ids", "a", "b"),
		withIDs("the same stream-id twice", "a", "a"),
		withIDs("two stream-ids in one header", "a, b"),
		refuses("stream-id in the trailer", "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: stream-id\r\n\r\n0\r\nstream-id: a\r\n\r\n"),
		refuses("stream-id in early hints", "HTTP/1.1 103 Early Hints\r\nstream-id: a\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n"+empty),
		refuses("continue before a refusal", "HTTP/1.1 100 Continue\r\n\r\n"+denying+empty),
		{name: "endless body of a refusal", answer: stage.Floods(denying+"\r\n", strings.Repeat("x", 4096))},
		{name: "endless body without stream-id", answer: stage.Floods("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 4096))},

		fails("silence", stage.Hangs("")),
		fails("silence within the status line", stage.Hangs("HTTP/1.1 2")),
		fails("silence within the header", stage.Hangs(accepting)),
		{name: "silence within the body", answer: stage.Hangs(accepting + "Content-Length: 10\r\n\r\n12345"), fails: true, stops: true},
		fails("silence after 102", stage.Hangs("HTTP/1.1 102 Processing\r\n\r\n")),
		fails("dripping status line", stage.Drips("", "HTTP/1.1 200 OK and so on ")),
		fails("dripping header", stage.Drips(accepting, "a: b\r\n")),
		{name: "dripping body", answer: stage.Drips(accepting+"\r\n", "x"), fails: true, stops: true},
		fails("no answer", stage.Says("")),
		fails("reset", stage.Resets),
		fails("end within the header", stage.Says(accepting)),
		{name: "end within the body", answer: stage.Says(accepting + "Content-Length: 10\r\n\r\n12345"), fails: true, stops: true},
		{name: "broken chunks", answer: stage.Says(accepting + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), fails: true, stops: true},
		fails("header of 10 MB", stage.Says(accepting+"a: "+strings.Repeat("x", 10<<20)+"\r\n"+empty)),
		fails("stream-id of 10 MB", stage.Says("HTTP/1.1 200 OK\r\nstream-id: "+strings.Repeat("x", 10<<20)+"\r\n"+empty)),
		fails("endless header lines", stage.Floods(accepting, "a: b\r\n")),
		fails("endless header line", stage.Floods(accepting, "aaaa")),
		fails("endless status line", stage.Floods("HTTP/1.1 200 ", "aaaa")),
		fails("endless continuing", stage.Floods("", "HTTP/1.1 100 Continue\r\n\r\n")),
		fails("two lengths", stage.Says(accepting+"Content-Length: 1\r\nContent-Length: 2\r\n\r\n12")),
		fails("negative length", stage.Says(accepting+"Content-Length: -1\r\n\r\n")),
		fails("header without colon", stage.Says(accepting+"nonsense\r\n\r\n")),
		fails("garbage", stage.Says("\x00\x01\x02\xff\xfe garbage\n\n\n")),
		fails("RTMP", stage.Says("\x03"+strings.Repeat("\x00", 1536))),
		fails("TLS", stage.Says("\x15\x03\x01\x00\x02\x02\x46")),
		fails("HTTP/0.9", stage.Says("<html>200 OK stream-id: a</html>\r\n")),
		fails("HTTP/3.0", stage.Says("HTTP/x 200 OK\r\nstream-id: a\r\n"+empty)),
		fails("status of four digits", stage.Says("HTTP/1.1 2000 OK\r\nstream-id: a\r\n"+empty)),
	}
	for _, status := range []int{
		0, 101, 201, 202, 203, 204, 205, 206, 226, 300, 304, 400, 401, 402, 403, 404, 407, 408, 418, 429, 451, 499, 500, 501, 502, 503, 504, 599, 999,
	} {
		list = append(list, withStatus(status))
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		list = append(list, withStatus(status, "Location: http://"+elsewhere+"/events"), withStatus(status, "Location: /events"))
	}
	return list
}

// Only status 200 with one stream id in order is a permission. Everything else
// is a refusal in time, and nobody else notices.
func TestEveryOtherAnswerRefusesThePublisher(t *testing.T) {
	t.Parallel()
	elsewhere := stage.StartBackend(t, "127.0.0.9", func(w http.ResponseWriter, _ stage.Event) {
		w.Header().Set("stream-id", "S-ELSEWHERE")
	})
	all := refusals(elsewhere.Door.Addr().String())
	t.Logf("%d answers", len(all))
	healthy := slices.DeleteFunc(slices.Clone(all), func(r refusal) bool { return r.fails })
	failing := slices.DeleteFunc(slices.Clone(all), func(r refusal) bool { return !r.fails })
	t.Cleanup(func() {
		if n := len(elsewhere.Events.All()); n != 0 {
			t.Errorf("%d requests followed a redirect", n)
		}
	})
	groups := slices.AppendSeq([][]refusal{healthy}, slices.Chunk(failing, failuresInARow-1))
	for _, group := range groups {
		t.Run(group[0].name+" and others", func(t *testing.T) {
			t.Parallel()
			refuseAll(t, group)
		})
	}
}

// refuseAll tries the answers against one server, all at the same time.
func refuseAll(t *testing.T, group []refusal) {
	var b *stage.Backend
	b = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) {
		var n int
		if _, err := fmt.Sscanf(e.Channel, "answer-%d", &n); err != nil || e.Event == "stop" {
			b.Accept(w, e)
			return
		}
		b.Take(w, group[n].answer)
	})
	s := startCallbackServer(t, b)
	other := startBystander(t, s)
	var running sync.WaitGroup
	for i, r := range group {
		channel := fmt.Sprintf("answer-%d", i)
		running.Go(func() {
			took, err := publishRefused(t, s, channel)
			if err != nil {
				t.Errorf("%s: after %v: %v", r.name, took, err)
			}
			if n := b.Started(channel); n != 1 {
				t.Errorf("%s: the backend was asked %d times", r.name, n)
			}
		})
	}
	running.Wait()
	for i, r := range group {
		channel := fmt.Sprintf("answer-%d", i)
		if r.stops {
			_, stopped := b.Ledger.Await(stage.Soon, func(d stage.Deed) bool { return d.Channel == channel && d.ID == "S-GIVEN" })
			if !stopped {
				t.Errorf("%s: the backend takes the stream for live and never hears of its end", r.name)
			}
		}
	}
	other.finish(t)
}

// publishRefused publishes on a channel, and wants to be told that it may not
// and closed, in time.
func publishRefused(t *testing.T, s *stage.Server, channel string) (time.Duration, error) {
	c, key, err := stage.Open(t, "", s.Addr, channel+"/"+stage.CallbackKey)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := c.Conn.SetDeadline(start.Add(refusalLimit)); err != nil {
		return 0, err
	}
	err = checkDenied(c, c.Publish(c.Stream, key), rtmp.CodePublishDenied)
	return time.Since(start), err
}

// checkDenied wants err to be the refusal of a command with a code, and the
// connection to be closed.
func checkDenied(c *stage.Client, err error, code string) error {
	if err == nil {
		return errors.New("it may publish")
	}
	var refused *rtmp.StatusError
	if !errors.As(err, &refused) {
		return fmt.Errorf("got %w, want a refusal", err)
	}
	if told := refused.Status; told.Level != rtmp.LevelError || told.Code != code || told.Description == "" {
		return fmt.Errorf("got %+v, want %s %s and a description", told, rtmp.LevelError, code)
	}
	for {
		_, err := c.ReadMessage()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return errors.New("the refused connection is still open")
		}
		if err != nil {
			return nil //nolint:nilerr // the server has closed it
		}
	}
}
