package server

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// TestAConnectionIsAcceptedWhenDescriptorsAreFreeAgain has them come back while
// nobody connects.
func TestAConnectionIsAcceptedWhenDescriptorsAreFreeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EMFILE} {
			f.listener.Fail(lack)
			time.Sleep(time.Hour)
			conn := f.silent(0)
			synctest.Wait()
			if !isOpen(t, conn) {
				t.Errorf("%v: the connection is refused", lack)
			}
		}
		f.wantLog("accept failed", 0)
	})
}

// TestAcceptPausesWithoutASpareFile has somebody else take the descriptor that was
// held back.
func TestAcceptPausesWithoutASpareFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		start := time.Now()
		for range 2 {
			f.listener.Fail(syscall.EMFILE)
		}
		conn := f.silent(0)
		if pause := time.Since(start); pause != minAcceptPause {
			t.Errorf("accepted after %v, want %v", pause, minAcceptPause)
		}
		if !isOpen(t, conn) {
			t.Error("the connection is refused")
		}
		f.wantLog("accept failed", 1)
	})
}

func TestARefusalWithoutDescriptorsIsLoggedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		for range 1000 {
			client, conn := rtmptest.Pipe(testAddr)
			f.turnDown(conn, stream.ReasonNoFiles)
			if isOpen(t, client) {
				t.Fatal("the connection is open")
			}
		}
		time.Sleep(samplePeriod)
		synctest.Wait()
		f.wantLog(`level=WARN msg="connection refused" addr=203.0.113.9:4000 reason="out of file descriptors"`, 1)
	})
}
