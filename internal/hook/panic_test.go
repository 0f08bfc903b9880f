package hook

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
)

// TestAPanicCostsOneRequest has every connection to the backend panic: the start is
// refused, and the stop waits for its next turn.
func TestAPanicCostsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		o := Options{URL: "http://backend.test/", Secret: []byte(testSecret), Log: slog.New(slog.NewTextHandler(&log, nil))}
		h, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		h.backend.client.Transport = broken{}
		if _, err := h.Start(t.Context(), wish); !errors.Is(err, ErrUnavailable) {
			t.Errorf("the start ended with %v", err)
		}
		h.Stop(wish, "id")
		synctest.Wait()
		if h.Pending() != 1 || h.panics.Count() != 2 {
			t.Errorf("%d stop events wait after %d panics, want 1 after 2", h.Pending(), h.panics.Count())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = h.Shutdown(ctx)
	})
}

// broken is a way to the backend that panics.
type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) { panic("bug") }
