package hook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// outcome is what came of a start, and when.
type outcome struct {
	id   string
	err  error
	took time.Duration
}

// background starts a stream in the background.
func (f *fixture) background(ctx context.Context) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		began := time.Now()
		id, err := f.Start(ctx, wish)
		done <- outcome{id, err, time.Since(began)}
	}()
	return done
}

// slow makes the stub answer starts after d only, as the stub itself would.
func slow(d time.Duration) func(*Options, *stub) {
	return func(_ *Options, s *stub) {
		s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
			if e.name == eventStart {
				time.Sleep(d)
			}
			s.accept(w, e)
		}
	}
}

func TestAtMost64StartsAreInFlightAnd256Wait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(500 * time.Millisecond)
				now.Add(-1)
				s.accept(w, e)
			}
		})
		var waiting []<-chan outcome
		for range maxInFlight + maxWaiting {
			waiting = append(waiting, f.background(t.Context()))
		}
		synctest.Wait()
		if n := len(f.stub.of("start")); n != maxInFlight {
			t.Errorf("%d requests in flight, want %d", n, maxInFlight)
		}
		for range 3 {
			if o := <-f.background(t.Context()); !errors.Is(o.err, ErrOverloaded) || o.took != 0 {
				t.Errorf("one too many: %v after %v", o.err, o.took)
			}
		}
		slowest := time.Duration(0)
		for _, w := range waiting {
			o := <-w
			if o.err != nil {
				t.Fatal(o.err)
			}
			slowest = max(slowest, o.took)
		}
		if slowest != 2500*time.Millisecond { // five rounds of 64
			t.Errorf("the last one took %v", slowest)
		}
		if most.Load() != maxInFlight {
			t.Errorf("%d requests at a time, want %d", most.Load(), maxInFlight)
		}
		if s := f.Stats(); s.Accepted != 320 || s.Shed != 3 {
			t.Errorf("stats: %+v", s)
		}
	})
}

func TestNobodyWaitsLongForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, slow(4*time.Second))
		var inFlight []<-chan outcome
		for range maxInFlight {
			inFlight = append(inFlight, f.background(t.Context()))
		}
		synctest.Wait()
		if o := <-f.background(t.Context()); !errors.Is(o.err, ErrOverloaded) || o.took != maxWait {
			t.Errorf("%v after %v", o.err, o.took)
		}
		for _, w := range inFlight {
			if o := <-w; o.err != nil {
				t.Error(o.err)
			}
		}
	})
}

func TestAPublisherWhoLeavesTheQueueIsNeverAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, slow(2*time.Second))
		for range maxInFlight {
			f.background(t.Context())
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if o := <-f.background(ctx); !errors.Is(o.err, context.DeadlineExceeded) || o.took != time.Second {
			t.Errorf("%v after %v", o.err, o.took)
		}
		if o := <-f.background(ctx); !errors.Is(o.err, context.DeadlineExceeded) || o.took != 0 {
			t.Errorf("with a context that has ended: %v after %v", o.err, o.took)
		}
		f.stop()
		if n := len(f.stub.of("start")); n != maxInFlight {
			t.Errorf("%d requests, want %d", n, maxInFlight)
		}
	})
}

// A backend that has read the request counts the session as live whatever becomes of the publisher.
func TestAStartAcceptedAfterItsPublisherIsGoneIsStopped(t *testing.T) {
	tests := []struct {
		name    string
		backend func(*Options, *stub)
		leaves  time.Duration
		stops   []string
	}{
		{"accepted later", slow(2 * time.Second), time.Second, []string{"id-1"}},
		{"accepted at the end of its time", slow(5*time.Second - 1), time.Second, []string{"id-1"}},
		{"refused later", func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, _ *http.Request, _ event) {
				time.Sleep(2 * time.Second)
				w.WriteHeader(http.StatusForbidden)
			}
		}, time.Second, nil},
		{"never answered", slow(6 * time.Second), time.Second, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, test.backend)
				ctx, cancel := context.WithTimeout(t.Context(), test.leaves)
				defer cancel()
				if o := <-f.background(ctx); !errors.Is(o.err, context.DeadlineExceeded) || o.took != test.leaves || o.id != "" {
					t.Errorf("%+v", o)
				}
				time.Sleep(10 * time.Second)
				if got := ids(f.stub.of("stop")); !reflect.DeepEqual(got, test.stops) {
					t.Errorf("stops %q, want %q", got, test.stops)
				}
				if s := f.Stats(); int(s.Abandoned) != len(test.stops) || s.Accepted != 0 {
					t.Errorf("stats: %+v", s)
				}
			})
		})
	}
}

// Whoever is right in the race between the answer and the publisher's end, exactly one side owns the id.
func TestAnAnswerAtTheMomentThePublisherGoesHasOneOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var leave atomic.Pointer[context.CancelFunc]
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
				s.accept(w, e)
				if e.name == eventStart {
					go func() {
						for range len(s.of(eventStart)) % 30 { // a little earlier or later each time
							runtime.Gosched()
						}
						(*leave.Load())()
					}()
				}
			}
		})
		accepted, gone := 0, 0
		for range 300 {
			ctx, cancel := context.WithCancel(t.Context())
			leave.Store(&cancel)
			if o := <-f.background(ctx); o.err == nil {
				accepted++
				f.Stop(wish, o.id)
			} else {
				gone++
			}
			synctest.Wait()
		}
		t.Logf("%d accepted, %d gone", accepted, gone)
		f.stop()
		stops := ids(f.stub.of("stop"))
		slices.Sort(stops)
		if len(stops) != 300 || len(slices.Compact(stops)) != 300 {
			t.Errorf("%d stops for 300 starts", len(stops))
		}
	})
}

func TestTheCircuitOpensAfterFiveFailuresAndProbesEveryTwoSeconds(t *testing.T) {
	failures := map[string]func(http.ResponseWriter, *http.Request, event){
		"5xx":     status(http.StatusServiceUnavailable),
		"cut off": func(http.ResponseWriter, *http.Request, event) { panic(http.ErrAbortHandler) },
	}
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var healthy atomic.Bool
				f := newFixture(t, func(_ *Options, s *stub) {
					s.reply = func(w http.ResponseWriter, r *http.Request, e event) {
						if !healthy.Load() {
							fail(w, r, e)
						}
						s.accept(w, e)
					}
				})
				requests := func(want int) {
					t.Helper()
					if n := len(f.stub.of("start")); n != want {
						t.Fatalf("%d requests, want %d", n, want)
					}
				}
				want := ErrRefused
				if name == "cut off" {
					want = ErrUnavailable
				}
				for range circuitFailures {
					f.refused(want)
				}
				f.refused(ErrCircuitOpen)
				time.Sleep(circuitPause - 1)
				f.refused(ErrCircuitOpen)
				requests(5)
				time.Sleep(time.Nanosecond)
				f.refused(want) // the probe
				f.refused(ErrCircuitOpen)
				requests(6)
				time.Sleep(circuitPause - 1)
				f.refused(ErrCircuitOpen)
				healthy.Store(true)
				time.Sleep(time.Nanosecond)
				f.mustStart()
				f.mustStart()
				requests(8)
				if f.log.count("backend fails") != 1 || f.log.count("answers again") != 1 {
					t.Errorf("log:\n%s", f.log)
				}
			})
		})
	}
}

func TestTheCircuitLetsOneProbeThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, slow(6*time.Second)) // too late for everyone
		began := time.Now()
		var first []<-chan outcome
		for range 70 { // six of them wait for a turn, and hear of the circuit in it or have no turn in time
			first = append(first, f.background(t.Context()))
		}
		time.Sleep(startTimeout + circuitPause)
		for _, w := range first {
			if o := <-w; o.err == nil || o.took > startTimeout {
				t.Errorf("%+v", o)
			}
		}
		probe := f.background(t.Context())
		synctest.Wait()
		for range 5 {
			if o := <-f.background(t.Context()); !errors.Is(o.err, ErrCircuitOpen) || o.took != 0 {
				t.Errorf("beside the probe: %+v", o)
			}
		}
		if o := <-probe; !errors.Is(o.err, ErrUnavailable) || o.took != startTimeout {
			t.Errorf("probe: %+v", o)
		}
		if at := time.Since(began); at != 2*startTimeout+circuitPause {
			t.Errorf("at %v", at)
		}
		if n := len(f.stub.of("start")); n != maxInFlight+1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestWaitersHearOfAnOpenCircuitWhenTheirTurnComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, _ *http.Request, _ event) {
				time.Sleep(time.Second)
				w.WriteHeader(http.StatusBadGateway)
			}
		})
		var all []<-chan outcome
		for range maxInFlight + 10 {
			all = append(all, f.background(t.Context()))
		}
		kinds := make(map[error]int)
		for _, w := range all {
			o := <-w
			for _, kind := range []error{ErrRefused, ErrCircuitOpen} {
				if errors.Is(o.err, kind) {
					kinds[kind]++
				}
			}
		}
		// Some of the first failures free their slots before the fifth opens the circuit.
		if kinds[ErrRefused] < maxInFlight || kinds[ErrRefused] > maxInFlight+circuitFailures || kinds[ErrRefused]+kinds[ErrCircuitOpen] != maxInFlight+10 {
			t.Errorf("outcomes: %v", kinds)
		}
	})
}

func TestRefusalsNeverOpenTheCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replies := []func(http.ResponseWriter, *http.Request, event){
			status(http.StatusForbidden), status(http.StatusTooManyRequests), status(http.StatusFound), status(http.StatusOK), status(http.StatusNoContent),
		}
		next := 0
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, r *http.Request, e event) {
				replies[next%len(replies)](w, r, e)
				next++
			}
		})
		for range 50 {
			_, err := f.Start(t.Context(), wish)
			if !errors.Is(err, ErrRefused) && !errors.Is(err, ErrBadReply) {
				t.Fatal(err)
			}
		}
		if s := f.Stats(); s.Refused != 50 || f.log.String() != "" {
			t.Errorf("stats %+v, log %s", s, f.log)
		}
	})
}

func TestAnAnswerBetweenFailuresKeepsTheCircuitClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, _ *http.Request, _ event) {
				if n++; n%circuitFailures == 0 {
					w.WriteHeader(http.StatusForbidden)
				} else {
					w.WriteHeader(http.StatusInternalServerError)
				}
			}
		})
		for range 50 {
			f.refused(ErrRefused)
		}
	})
}

func TestCircuit(t *testing.T) {
	type step struct {
		do   string // admit, refuse, or the report of an outcome
		at   time.Duration
		want bool // of admit: a probe; of a report: the state changed
	}
	fail5 := slices.Repeat([]step{{"fail", 0, false}}, circuitFailures-1)
	fail5 = append(fail5, step{"fail", 0, true})
	tests := map[string][]step{
		"a latecomer's failure does not prolong the pause": {{"fail", time.Second, false}, {"refuse", 2*time.Second - 1, false}, {"admit", 2 * time.Second, true}},
		"a latecomer's failure does not end the probe":     {{"admit", 2 * time.Second, true}, {"fail", 2 * time.Second, false}, {"refuse", 3 * time.Second, false}},
		"a latecomer's success closes":                     {{"ok", time.Second, true}, {"admit", time.Second, false}},
		"a success during the probe closes":                {{"admit", 2 * time.Second, true}, {"ok", 2 * time.Second, true}, {"probe fails", 3 * time.Second, false}, {"admit", 3 * time.Second, false}},
		"a failed probe starts a new pause":                {{"admit", 2 * time.Second, true}, {"probe fails", 7 * time.Second, false}, {"refuse", 9*time.Second - 1, false}, {"admit", 9 * time.Second, true}},
		"after a success the count starts again":           append([]step{{"admit", 2 * time.Second, true}, {"probe ok", 2 * time.Second, true}}, fail5...),
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			var c circuit
			began := time.Now()
			for i, s := range slices.Concat(fail5, steps) {
				now := began.Add(s.at)
				var got bool
				switch s.do {
				case "admit", "refuse":
					probe, ok := c.admit(now)
					if ok != (s.do == "admit") {
						t.Fatalf("step %d: admit = %v", i, ok)
					}
					got = probe
				default:
					got = c.report(now, s.do == "probe ok" || s.do == "probe fails", s.do == "ok" || s.do == "probe ok")
				}
				if got != s.want {
					t.Fatalf("step %d: %s = %v", i, s.do, got)
				}
			}
		})
	}
}

// A crowd of publishers with all kinds of luck: each id that the backend gave has one stop, or more, and no other has any.
func TestEachAcceptedStartHasItsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var given sync.Map
		var n atomic.Int64
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
				i := n.Add(1)
				time.Sleep(time.Duration(i*37%400) * time.Millisecond)
				switch {
				case i%7 == 0:
					w.WriteHeader(http.StatusBadGateway)
					return
				case i%11 == 0:
					panic(http.ErrAbortHandler)
				case i%13 == 0:
					w.WriteHeader(http.StatusForbidden)
					return
				}
				if e.name == eventStart {
					id := fmt.Sprint("s", i)
					given.Store(id, 0)
					w.Header().Set("stream-id", id)
					return
				}
				was, ok := given.Load(e.id)
				if !ok {
					t.Errorf("stop of %q, which did not start", e.id)
					return
				}
				given.Store(e.id, was.(int)+1)
			}
		})
		var publishers sync.WaitGroup
		for i := range 1000 {
			publishers.Go(func() {
				time.Sleep(time.Duration(i*13%5000) * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*29%700)*time.Millisecond)
				defer cancel()
				if id, err := f.Start(ctx, wish); err == nil {
					time.Sleep(time.Duration(i*17%3000) * time.Millisecond)
					f.Stop(wish, id)
				}
			})
		}
		publishers.Wait()
		f.stop()
		ids, rejected := 0, 0
		given.Range(func(_, stops any) bool {
			ids++
			if stops != 1 {
				rejected++ // with the 403 of i%13, which is final
			}
			return true
		})
		s := f.Stats()
		if ids < 100 || int(s.Accepted+s.Abandoned) != ids || rejected != int(s.StopsRejected) || int(s.StopsDelivered+s.StopsRejected) != ids || f.Pending() != 0 {
			t.Errorf("%d ids, %d without a single stop, stats %+v", ids, rejected, s)
		}
	})
}
