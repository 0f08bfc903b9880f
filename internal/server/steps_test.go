package server

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// stepping is a log of sessions, and what it has written.
func stepping() (*stepLog, *journal) {
	j := &journal{}
	return newStepLog(slog.New(slog.NewTextHandler(j, nil))), j
}

func TestACrowdThatComesTogetherHasAllOfItsLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, j := stepping()
		const crowd = 200
		for range crowd {
			s.write(s.log, "connect", "")
			s.write(s.log, "play", "player")
		}
		time.Sleep(30 * time.Second)
		for range crowd {
			s.write(s.log, "end", "player")
		}
		for range 600 { // and an ordinary day
			time.Sleep(100 * time.Millisecond)
			s.write(s.log, "connect", "")
		}
		synctest.Wait()
		if n := j.count("left out"); n != 0 {
			t.Errorf("%d lines of lines left out", n)
		}
		if n := j.count(""); n != 3*crowd+600 {
			t.Errorf("%d lines, want all %d", n, 3*crowd+600)
		}
	})
}

func TestAFloodOfSessionsDoesNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, j := stepping()
		const seconds, each = 10, 5000
		for i := range seconds {
			for range each {
				s.write(s.log, "play", "player")
			}
			s.write(s.log, "publish", "publisher")
			time.Sleep(time.Second)
			synctest.Wait()
			if n := j.count(`msg="lines left out" step=play role=player count=`); n != i+1 {
				t.Errorf("%d lines with a number after %d s", n, i+1)
			}
		}
		if n, most := j.count("msg=play"), stepBurst+(seconds-1)*stepLines; n != most {
			t.Errorf("%d lines of %d, want %d", n, seconds*each, most)
		}
		if n := j.count(`count=4990`); n != seconds-1 {
			t.Errorf("%d lines say that 4,990 were left out, want %d", n, seconds-1)
		}
		if n := j.count("msg=publish"); n != seconds {
			t.Errorf("%d lines of publishers, want all %d", n, seconds)
		}
		time.Sleep(stepBurst / stepLines * time.Second)
		synctest.Wait()
		if n := len(s.sampler.kinds); n != 0 {
			t.Errorf("%d kinds are known when all is quiet", n)
		}
	})
}

// Lines that the log does not show for another reason leave none out.
func TestSessionsThatAreNotLoggedAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.LogRequests = false })
		for range 3 * stepBurst {
			_, conn := f.client("live")
			_ = conn.Close()
		}
		time.Sleep(2 * samplePeriod)
		f.stop()
		if n := f.journal.count(""); n != 0 {
			t.Errorf("%d lines", n)
		}
	})
}

func TestTheStopTellsWhatWasLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		for range stepBurst + 3 {
			_, conn := f.client("live")
			_ = conn.Close()
		}
		f.stop()
		f.wantLog("msg=connect", stepBurst)
		f.wantLog(`msg="lines left out" step=connect count=3`, 1)
	})
}
