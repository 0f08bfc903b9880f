package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests mostly wait for media that plays in real time, so more of them
	// fit on two processors than Go would run.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "rtmp-server-e2e-")
	if err == nil {
		err = prepare(dir)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "e2e: cannot prepare the tests:", err)
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(dir)
		os.Exit(status)
	}))
}

// prepare builds the server and makes the media, once for all tests.
func prepare(dir string) error {
	stage.Binary = filepath.Join(dir, "rtmp-server")
	if err := stage.Build(stage.Binary, "-race"); err != nil {
		return err
	}
	return generateMedia(dir)
}
