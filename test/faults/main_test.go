package faults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

var (
	long = flag.Bool("long", false, "play the long profile")
	out  = flag.String("report", "", "file to write the table of the rows to")
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Most faults are waited for: more of them fit on two processors than Go
	// would run. Those that take the whole machine are not parallel.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "rtmp-server-faults-")
	if err == nil {
		// Without the race detector, which would be most of what is measured.
		stage.Binary = filepath.Join(dir, "rtmp-server")
		err = stage.Build(stage.Binary)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "faults: cannot prepare the tests:", err)
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(dir)
		if err := results.report(*out); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "faults:", err)
			status = 1
		}
		os.Exit(status)
	}))
}
