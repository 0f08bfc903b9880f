package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

const (
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
	// hangs says that the server has to wait for it, until its patience ends.
	hangs bool
	// stops says that the backend takes the start for accepted, so that the
	// server has to tell it of the end.
	stops bool
}

func refuses(name, reply string) refusal { return refusal{name: name, answer: stage.Says(reply)} }

func fails(name string, answer stage.Misbehaviour) refusal {
	return refusal{name: name, answer: answer, fails: true}
}

func hangs(name string, answer stage.Misbehaviour) refusal {
	return refusal{name: name, answer: answer, fails: true, hangs: true}
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

		hangs("silence", stage.Hangs("")),
		hangs("silence within the status line", stage.Hangs("HTTP/1.1 2")),
		hangs("silence within the header", stage.Hangs(accepting)),
		{name: "silence within the body", answer: stage.Hangs(accepting + "Content-Length: 10\r\n\r\n12345"), fails: true, hangs: true, stops: true},
		hangs("silence after 102", stage.Hangs("HTTP/1.1 102 Processing\r\n\r\n")),
		hangs("dripping status line", stage.Drips("", "HTTP/1.1 200 OK and so on ")),
		hangs("dripping header", stage.Drips(accepting, "a: b\r\n")),
		{name: "dripping body", answer: stage.Drips(accepting+"\r\n", "x"), fails: true, hangs: true, stops: true},
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
	all := refusals(strings.TrimPrefix(elsewhere.URL, "http://"))
	t.Cleanup(func() {
		if n := len(elsewhere.Events.All()); n != 0 {
			t.Errorf("%d requests followed a redirect", n)
		}
	})
	quick := slices.DeleteFunc(slices.Clone(all), func(r refusal) bool { return r.hangs })
	hanging := slices.DeleteFunc(slices.Clone(all), func(r refusal) bool { return !r.hangs })
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		b := answering(t, quick)
		f := begin(t, "G2 G3 G5", b.Settings()...)
		b.Watch(f.server)
		f.figure("answers", len(quick))
		refuseInTurn(f, b, quick)
	})
	for group := range slices.Chunk(hanging, failuresInARow-1) {
		t.Run(group[0].name+" and others", func(t *testing.T) {
			t.Parallel()
			b := answering(t, group)
			f := begin(t, "G1", b.Settings()...)
			b.Watch(f.server)
			f.figure("answers", len(group))
			crowd(len(group), func(i int) { refuse(f, b, i, group[i]) })
		})
	}
}

// answering is a backend that gives the nth of the answers on channel answer-n, and
// a plain refusal on others.
func answering(t *testing.T, answers []refusal) *stage.Backend {
	t.Helper()
	return startBackend(t, func(b *stage.Backend, w http.ResponseWriter, e stage.Event) {
		var n int
		switch _, err := fmt.Sscanf(e.Channel, "answer-%d", &n); {
		case e.Event == "stop":
			b.Accept(w, e)
		case err == nil:
			b.Take(w, answers[n].answer)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	})
}

// refuseInTurn keeps failures from following each other so often that the backend
// would not be asked any more.
func refuseInTurn(f *fault, b *stage.Backend, answers []refusal) {
	f.Helper()
	for i, r := range answers {
		refuse(f, b, i, r)
		if !r.fails {
			continue
		}
		if _, err := publishRefused(f.T, f.server, "between"); err != nil {
			f.Errorf("after %s: %v", r.name, err)
		}
	}
}

// refuse tries one answer.
func refuse(f *fault, b *stage.Backend, i int, r refusal) {
	f.Helper()
	channel := fmt.Sprintf("answer-%d", i)
	if took, err := publishRefused(f.T, f.server, channel); err != nil {
		f.Errorf("%s: after %v: %v", r.name, took, err)
	}
	if n := b.Started(channel); n != 1 {
		f.Errorf("%s: the backend was asked %d times", r.name, n)
	}
	if !r.stops {
		return
	}
	_, stopped := b.Ledger.Await(stage.Soon, func(d stage.Deed) bool { return d.Channel == channel && d.ID == "S-GIVEN" })
	if !stopped {
		f.Errorf("%s: the backend takes the stream for live and never hears of its end", r.name)
	}
}
