package admin

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// event reads one.
func event(f *fixture, from io.Reader) string {
	f.Helper()
	text, err := readEvent(bufio.NewReader(from))
	if err != nil {
		f.Fatal(err)
	}
	return text
}

func readEvent(from *bufio.Reader) (string, error) {
	var text strings.Builder
	for {
		line, err := from.ReadString('\n')
		if err != nil || line == "\n" {
			return text.String(), err
		}
		text.WriteString(line)
	}
}

func TestListenersHearOfTheStateAndOfEnds(t *testing.T) {
	f := run(t, Options{})
	answer, err := f.client.Get("http://" + f.host + "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("the events are of type %s", kind)
	}
	from := bufio.NewReader(answer.Body)
	first, err := readEvent(from)
	if err != nil || !strings.HasPrefix(first, "event: state\ndata: ") {
		t.Fatalf("the first event is %q, %v", first, err)
	}
	var got struct {
		Status   struct{ Counts Counts }
		Channels []struct{ Name, Key string }
		Total    int
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(first, "event: state\ndata: ")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Status.Counts.Live != 1 || got.Total != 2 || got.Channels[0].Name != "live" || got.Channels[0].Key != "aV…ed" {
		t.Errorf("the state is %+v", got)
	}
	f.Ended(testEnd("9"))
	for {
		text, err := readEvent(from)
		if err != nil || strings.Contains(text, secret) {
			t.Fatalf("an event is %q, %v", text, err)
		}
		if strings.HasPrefix(text, "event: end\ndata: ") && strings.Contains(text, `"id":"9"`) {
			return
		}
	}
}

func TestListenersAreLimited(t *testing.T) {
	f := run(t, Options{})
	for range maxListeners {
		answer, err := f.client.Get("http://" + f.host + "/api/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
	}
	f.want(http.StatusServiceUnavailable, "GET", "/api/v1/events", "")
}

// HEAD must not listen.
func TestHeadOfEventsEnds(t *testing.T) {
	f := run(t, Options{})
	f.want(http.StatusOK, "HEAD", "/api/v1/events", "")
	if len(f.events.listeners) != 0 {
		t.Error("it listens")
	}
}

func TestTheStateIsMadeOnceASecondForAllAndOnlyWhileSomebodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		e := events{state: func() any { made++; return made }}
		one, _ := e.join()
		synctest.Wait()
		two, _ := e.join()
		time.Sleep(3*time.Second + time.Millisecond) // of the bubble's clock
		synctest.Wait()
		if made != 4 || len(one) != 4 || len(two) != 4 {
			t.Errorf("%d states were made, the listeners have %d and %d", made, len(one), len(two))
		}
		e.leave(one)
		e.leave(two)
		time.Sleep(time.Minute)
		synctest.Wait()
		if made != 4 {
			t.Errorf("%d states were made, some for nobody", made)
		}
		e.ended(End{})
		again, _ := e.join()
		synctest.Wait()
		if made != 5 || len(again) != 1 {
			t.Errorf("who comes later has %d of %d", len(again), made)
		}
		e.leave(again)
	})
}

func TestSlowListenersAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := events{state: func() any { return 1 }}
		slow, _ := e.join()
		synctest.Wait()
		for range maxPending {
			e.ended(End{})
		}
		n := 0
		for range slow { // until it is closed
			n++
		}
		if n != maxPending || len(e.listeners) != 0 {
			t.Errorf("it had %d events, and %d listen", n, len(e.listeners))
		}
		e.leave(slow)
	})
}
