package server

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// refusing is a log of refusals, and what it has written.
func refusing() (*refusalLog, *journal) {
	j := &journal{}
	return newRefusalLog(slog.New(slog.NewTextHandler(j, nil))), j
}

func TestOfManyRefusalsTheLogTakesAFewAndTheirNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := refusing()
		const seconds, each = 3, 50
		for range seconds {
			for range each {
				r.write(r.log, slog.LevelInfo, ReasonIdle, "end")
				r.write(r.log, slog.LevelInfo, stream.ReasonTLS, "farewell")
				r.write(r.log, slog.LevelWarn, stream.ReasonFull, "refused")
				time.Sleep(time.Second / each)
			}
			synctest.Wait()
		}
		for text, want := range map[string]int{
			"msg=end":      seconds * refusalLines,
			"msg=farewell": seconds * refusalLines,
			"msg=refused":  seconds * conditionLines,
			`level=INFO msg="refusals left out" reason=idle count=40`:                   seconds,
			`level=INFO msg="refusals left out" reason="TLS handshake failed" count=40`: seconds,
			`level=WARN msg="refusals left out" reason="server full" count=49`:          seconds,
			"": seconds * (2*refusalLines + conditionLines + 3),
		} {
			if n := j.count(text); n != want {
				t.Errorf("%d lines with %q, want %d", n, text, want)
			}
		}
		if n := len(r.sampler.kinds); n != 0 {
			t.Errorf("%d kinds are known", n)
		}
	})
}

func TestAFewRefusalsAreAllLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := refusing()
		for range 100 {
			r.write(r.log, slog.LevelInfo, ReasonIdle, "end")
			time.Sleep(samplePeriod/refusalLines + time.Millisecond)
		}
		synctest.Wait()
		if n, left := j.count("msg=end"), j.count("left out"); n != 100 || left != 0 {
			t.Errorf("%d of 100 refusals logged, and %d lines of others", n, left)
		}
	})
}

func TestRefusalsThatTheLogDoesNotTakeAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := refusing()
		for range 100 {
			r.write(r.log, slog.LevelDebug, ReasonIdle, "end")
		}
		time.Sleep(samplePeriod)
		synctest.Wait()
		if n := j.count(""); n != 0 {
			t.Errorf("%d lines", n)
		}
	})
}

func TestTheEndWritesTheNumberAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := refusing()
		for range 25 {
			r.write(r.log, slog.LevelInfo, ReasonIdle, "end")
		}
		r.end()
		if n := j.count("reason=idle count=15"); n != 1 {
			t.Errorf("%d lines with the number, want one", n)
		}
		time.Sleep(samplePeriod)
		synctest.Wait()
		if n := j.count("left out"); n != 1 {
			t.Errorf("%d lines with a number a second later, want one", n)
		}
	})
}
