// Package browser opens the dashboard of the real binary in Chromium, as people do:
// what they see has to move, their orders have to be followed, and nothing that a
// hostile client says of itself may become more than text.
//
// The walks through the page are scripts for Node.js (walk.mjs), which say a line
// after each step. What the server makes of it is checked here.
package browser

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// folder is where the pictures of the documentation go.
var folder = flag.String("screenshots", "", "folder for the screenshots, none to keep if empty")

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "rtmp-server-browser-")
	if err == nil {
		err = prepare(dir)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "browser: cannot prepare the tests:", err)
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(dir)
		os.Exit(status)
	}))
}

// The clips that are published, again and again.
var clips = map[string]string{
	"large": "gradients=size=1280x720:rate=25:speed=0.05:nb_colors=5:c0=0x0b1020:c1=0x1f4fd8:c2=0x7c4ddb:c3=0xe0568f:c4=0xf5b64c:x0=0:y0=0:x1=1280:y1=720,format=yuv420p",
	"small": "testsrc2=size=640x360:rate=30,format=yuv420p",
}

var clipDir string

func prepare(dir string) error {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return errors.New("chromium is missing: install package chromium (test/packages.sh does)")
	}
	if _, err := os.Stat("node_modules"); err != nil {
		return errors.New("the packages of npm are missing (test/packages.sh installs them)")
	}
	if err := os.Setenv("CHROMIUM", chromium); err != nil {
		return err
	}
	clipDir = dir
	for name, source := range clips {
		args := []string{"-nostdin", "-v", "error", "-f", "lavfi", "-i", source, "-f", "lavfi", "-i", "sine=frequency=330"}
		args = append(args, strings.Fields("-t 8 -c:v libx264 -preset ultrafast -b:v 1500k -g 25 -bf 0 -c:a aac -ac 2 -f flv "+clip(name))...)
		if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("make the clip %s: %w\n%s", name, err, out)
		}
	}
	stage.Binary = filepath.Join(dir, "rtmp-server")
	return stage.Build(stage.Binary, "-race")
}

func clip(name string) string { return filepath.Join(clipDir, name+".flv") }
