package hook

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatComesOfEventsIsObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var observed []string
		want := func(texts ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(observed, texts) {
				t.Errorf("observed %q, want %q", observed, texts)
			}
			observed = nil
		}
		var status atomic.Int64
		status.Store(http.StatusOK)
		f := newFixture(t, func(o *Options, s *stub) {
			o.Observe = func(e Event, outcome Outcome, took time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				observed = append(observed, fmt.Sprintf("%s %s %v", e, outcome, took))
			}
			s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
				time.Sleep(time.Second)
				if code := int(status.Load()); code != http.StatusOK {
					w.WriteHeader(code)
					return
				}
				s.accept(w, e)
			}
		})
		id := f.mustStart()
		want("start accepted 1s")
		status.Store(http.StatusForbidden)
		if _, err := f.Start(t.Context(), wish); err == nil {
			t.Error("accepted")
		}
		want("start refused 1s")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.Start(ended, wish); err == nil {
			t.Error("accepted")
		}
		want("start gone 0s")
		status.Store(http.StatusServiceUnavailable)
		f.Stop(wish, id)
		time.Sleep(1500 * time.Millisecond)
		want("stop failed 1s")
		status.Store(http.StatusOK)
		time.Sleep(2 * time.Second)
		want("stop accepted 1s")
		status.Store(http.StatusGone)
		f.Stop(wish, "other")
		time.Sleep(1500 * time.Millisecond)
		want("stop refused 1s")
	})
}

func TestOutcomesOfErrors(t *testing.T) {
	for err, want := range map[error]Outcome{
		nil: Accepted, ErrRefused: Refused, ErrBadReply: Refused, ErrOverloaded: Shed, ErrCircuitOpen: Shed,
		ErrUnavailable: Failed, ErrJournal: Failed, ErrClosed: Gone,
	} {
		if got := outcomeOf(err); got != want || !slices.Contains(Outcomes(), got) {
			t.Errorf("%v is %s, want %s", err, got, want)
		}
	}
	if !slices.Equal(Events(), []Event{Start, Stop}) {
		t.Error("not all events are listed")
	}
}
