package soak

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

var (
	lasting = flag.Duration("duration", 20*time.Second, "how long to soak")
	rate    = flag.Float64("rate", 60, "visitors a second")
	seed    = flag.Uint64("seed", 0, "of all that is random, 0 for any")
	out     = flag.String("report", "", "file to write the tables to")
)

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "rtmp-server-soak-")
	if err == nil {
		// Without the race detector, whose memory grows by itself.
		stage.Binary = filepath.Join(dir, "rtmp-server")
		err = stage.Build(stage.Binary)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "soak: cannot prepare the test:", err)
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(dir)
		os.Exit(status)
	}))
}
