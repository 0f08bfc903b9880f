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
	long   = flag.Bool("long", false, "play the long profile")
	out    = flag.String("report", "", "file to write the table of the rows to")
	detect = flag.Bool("detect", false, "build the server with the race detector")
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
		var flags []string
		if *detect { // which would be most of what is measured
			flags = append(flags, "-race")
		}
		stage.Binary = filepath.Join(dir, "rtmp-server")
		err = stage.Build(stage.Binary, flags...)
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
