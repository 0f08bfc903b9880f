package hook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestStopsAreRepeatedWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var healthy atomic.Bool
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
				if e.name == eventStop && !healthy.Load() {
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				s.accept(w, e)
			}
		})
		id := f.mustStart()
		began := time.Now()
		f.Stop(wish, id)
		time.Sleep(4 * time.Minute)
		healthy.Store(true)
		time.Sleep(2 * time.Minute)
		var seconds []float64
		for _, e := range f.stub.of("stop") {
			seconds = append(seconds, e.at.Sub(began).Seconds())
		}
		if want := []float64{0, 1, 3, 7, 15, 31, 63, 123, 183, 243}; !reflect.DeepEqual(seconds, want) {
			t.Errorf("attempts at %v, want %v", seconds, want)
		}
		if f.Pending() != 0 || f.log.count("delayed") != 1 || f.log.count("delivered again") != 1 {
			t.Errorf("%d pending, log:\n%s", f.Pending(), f.log)
		}
		if s := f.Stats(); s.StopsDelivered != 1 || s.StopsFailed != 9 {
			t.Errorf("stats: %+v", s)
		}
	})
}

func TestAHangingStopIsCutAfterFiveSecondsAndRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, r *http.Request, e event) {
				if e.name == eventStop && len(s.of("stop")) == 1 {
					<-r.Context().Done()
					return
				}
				s.accept(w, e)
			}
		})
		id := f.mustStart()
		began := time.Now()
		f.Stop(wish, id)
		if time.Since(began) != 0 {
			t.Error("Stop took its time")
		}
		time.Sleep(time.Minute)
		if stops := f.stub.of("stop"); len(stops) != 2 || stops[1].at.Sub(began) != stopTimeout+firstPause {
			t.Errorf("stops: %v", stops)
		}
	})
}

func TestPausesAreJitteredBetweenHalfAndAllOfTheirLength(t *testing.T) {
	seen := make(map[time.Duration]bool)
	for range 1000 {
		d := halfRandom(time.Minute)
		if d < 30*time.Second || d > time.Minute {
			t.Fatal(d)
		}
		seen[d] = true
	}
	if len(seen) < 900 {
		t.Errorf("%d different pauses", len(seen))
	}
	if pause(1000) != longestPause {
		t.Error(pause(1000))
	}
}

func TestWhichAnswersEndAStop(t *testing.T) {
	final := map[int]bool{}
	for _, status := range []int{200, 201, 202, 204, 206, 299, 400, 401, 403, 404, 409, 410, 422, 451, 499} {
		final[status] = true
	}
	for _, status := range []int{300, 301, 302, 304, 307, 308, 408, 429, 500, 501, 502, 503, 504, 599, 600, 999} {
		final[status] = false
	}
	for code, final := range final {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(_ *Options, s *stub) {
					s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
						if e.name == eventStop && len(s.of("stop")) == 1 {
							w.Header().Set("Location", "http://other.example")
							w.WriteHeader(code)
							return
						}
						s.accept(w, e)
					}
				})
				f.Stop(wish, f.mustStart())
				time.Sleep(time.Minute)
				want := 2
				if final {
					want = 1
				}
				if n := len(f.stub.of("stop")); n != want || f.Pending() != 0 {
					t.Errorf("%d requests, want %d; %d pending", n, want, f.Pending())
				}
				if rejected := f.log.count("rejected a stop event"); (rejected == 1) != (code >= 400 && final) {
					t.Errorf("log:\n%s", f.log)
				}
			})
		})
	}
}

func TestAtMost8StopsAreOnTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(http.ResponseWriter, *http.Request, event) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
			}
		})
		began := time.Now()
		for i := range 80 {
			f.Stop(wish, fmt.Sprint("s", i))
		}
		if f.Pending() != 80 || time.Since(began) != 0 {
			t.Errorf("%d pending after %v", f.Pending(), time.Since(began))
		}
		f.stop()
		if took := time.Since(began); most.Load() != maxDeliveries || took != 10*time.Second {
			t.Errorf("%d at a time, %v in all", most.Load(), took)
		}
	})
}

func TestAFullQueueDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var healthy atomic.Bool
		f := newFixture(t, func(o *Options, s *stub) {
			o.StateDir = t.TempDir()
			s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
				if e.name == eventStop && !healthy.Load() {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				s.accept(w, e)
			}
		})
		f.Stop(wish, f.mustStart()) // is in the journal, fails and waits
		synctest.Wait()
		for i := range maxPending + 99 {
			f.Stop(wish, fmt.Sprint("s", i))
		}
		synctest.Wait()
		if f.Pending() != maxPending || f.Stats().StopsDropped != 100 {
			t.Errorf("%d pending, %+v", f.Pending(), f.Stats())
		}
		if f.log.count("stop events are lost") != 1 {
			t.Errorf("log:\n%s", f.log)
		}
		if n := len(f.journal.open); n != 0 {
			t.Errorf("the journal keeps %d dropped events", n)
		}
		healthy.Store(true)
		f.stop()
		seen := make(map[string]bool)
		for _, e := range f.stub.of("stop") {
			seen[e.id] = true
		}
		// Those on their way cannot be dropped: the next ones in age are.
		if !seen[fmt.Sprint("s", maxPending+98)] || f.Stats().StopsDelivered != maxPending {
			t.Errorf("%+v", f.Stats())
		}
		for _, s := range f.queue.waiting {
			t.Errorf("left: %v", s)
		}
		if f.queue.retrying != 0 || f.queue.dropping {
			t.Errorf("%d retrying, dropping %v", f.queue.retrying, f.queue.dropping)
		}
	})
}

func TestShutdownDeliversWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var healthy atomic.Bool
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
				if e.name == eventStop && !healthy.Load() {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				s.accept(w, e)
			}
		})
		for range 20 {
			f.Stop(wish, f.mustStart())
		}
		time.Sleep(time.Hour + 10*time.Second) // in the middle of a pause of a minute
		go func() {
			time.Sleep(1500 * time.Millisecond)
			healthy.Store(true)
		}()
		began := time.Now()
		if err := f.Shutdown(within(t, 8*time.Second)); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 2*time.Second { // at once, after 1 s, after 2 s
			t.Errorf("took %v", took)
		}
		if s := f.Stats(); s.StopsDelivered != 20 || f.Pending() != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestShutdownEndsWithItsContext(t *testing.T) {
	down := status(http.StatusServiceUnavailable)
	hanging := func(_ http.ResponseWriter, r *http.Request, _ event) { <-r.Context().Done() }
	tests := []struct {
		name  string
		stops func(http.ResponseWriter, *http.Request, event)
		grace time.Duration
	}{
		{"backend down", down, 3 * time.Second},
		{"backend hangs", hanging, 3 * time.Second},
		{"no time at all", hanging, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(_ *Options, s *stub) {
					s.reply = func(w http.ResponseWriter, r *http.Request, e event) {
						if e.name == eventStart {
							s.accept(w, e)
							return
						}
						test.stops(w, r, e)
					}
				})
				f.Stop(wish, f.mustStart())
				synctest.Wait()
				began := time.Now()
				err := f.Shutdown(within(t, test.grace))
				if !errors.Is(err, context.DeadlineExceeded) || f.Pending() != 1 || time.Since(began) != test.grace {
					t.Errorf("%v after %v, %d pending", err, time.Since(began), f.Pending())
				}
			})
		})
	}
}

func TestShutdownWaitsForStartsThatMayStillBeAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, slow(2*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if o := <-f.background(ctx); o.err == nil {
			t.Fatal("not abandoned")
		}
		began := time.Now()
		f.stop()
		if got := ids(f.stub.of("stop")); !reflect.DeepEqual(got, []string{"id-1"}) || time.Since(began) != time.Second {
			t.Errorf("stops %q after %v", got, time.Since(began))
		}
	})
}

func TestAfterShutdownNothingIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if err := f.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		f.refused(ErrClosed)
		f.Stop(wish, "a")
		synctest.Wait()
		if len(f.stub.of("start"))+len(f.stub.of("stop")) != 0 || f.Pending() != 0 {
			t.Error("events after shutdown")
		}
	})
}

func TestASecondShutdownWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, slow(3*time.Second))
		f.background(t.Context())
		synctest.Wait()
		go func() { _ = f.Shutdown(context.Background()) }()
		synctest.Wait()
		if err := f.Shutdown(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestThoseWhoWaitForATurnAreRefusedAtTheEndOfShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, slow(10*time.Second))
		var all []<-chan outcome
		for range maxInFlight + 5 {
			all = append(all, f.background(t.Context()))
		}
		synctest.Wait()
		if err := f.Shutdown(within(t, time.Second)); err != nil {
			t.Error(err)
		}
		for _, w := range all {
			if o := <-w; !errors.Is(o.err, ErrClosed) || o.took != time.Second {
				t.Errorf("%+v", o)
			}
		}
		time.Sleep(time.Minute) // for the backend's handlers
	})
}
