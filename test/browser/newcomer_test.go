package browser

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// readmeLine is what the README has newcomers type.
func readmeLine(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^ffmpeg .*testsrc2.*$`).FindString(string(readme))
	if !strings.HasSuffix(line, " rtmp://localhost/my-channel/my-key") {
		t.Fatalf("the README has %q", line)
	}
	return line
}

// The stream of the README plays in the page, and ends by a button of it.
func TestANewcomerSeesTheStreamAndKicksIt(t *testing.T) {
	s, url := serve(t)
	w := start(t, "newcomer", url, "my-channel")
	line := strings.Replace(readmeLine(t), "rtmp://localhost/", s.URL(""), 1)
	var empty struct{ Line string }
	if w.await(1, "empty", &empty); strings.ReplaceAll(empty.Line, "localhost", "127.0.0.1") != line {
		t.Errorf("the page says %s\nwant %s", empty.Line, line)
	}
	stage.StartProgram(t, "sh", "-c", "exec "+line+" -nostdin -v error")

	var playing struct {
		Frames, Changed int
		Muted           bool
		Details         string
	}
	w.await(1, "playing", &playing)
	if playing.Frames < 30 || playing.Changed < 100 || !playing.Muted {
		t.Errorf("%d frames changed %d values of the picture, muted: %v", playing.Frames, playing.Changed, playing.Muted)
	}
	for _, fact := range []string{"H.264 · 1280×720", "AAC · 44.1 kHz · mono", "Lavf", "127.0.0.1:"} {
		if !strings.Contains(playing.Details, fact) {
			t.Errorf("%s is not in the details: %s", fact, playing.Details)
		}
	}

	var kicked struct{ Clicked int64 }
	w.await(1, "kicked", &kicked)
	end := s.AwaitLine("msg=end", "role=publisher", `reason="killed by an operator"`)
	at, err := time.Parse(time.RFC3339, stage.Attr(end, "time"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the publisher was gone %v after the click", at.Sub(time.UnixMilli(kicked.Clicked)))
	s.AwaitLine(`msg="the operator ends a session"`)
	var left struct{ Wrong []string }
	if w.await(1, "left", &left); len(left.Wrong) > 0 {
		t.Errorf("the page did %q", left.Wrong)
	}
	w.finish()
	s.AwaitLine("msg=end", "role=player") // with the details, the preview is closed
}

// Who closes the details and opens them again at once sees the channel of now, not a
// picture of what it was.
func TestTheDetailsAreOpenedAgainAtOnce(t *testing.T) {
	s, url := serve(t)
	encoder := publish(t, s, "large", "channel/key")
	w := start(t, "reopen", url, "channel")
	var open struct{ Told bool }
	if w.await(1, "open", &open); !open.Told {
		t.Error("the browser told of the close before the details were open again")
	}
	_ = encoder.Cmd.Process.Kill()
	for _, left := range each[struct{ Wrong []string }](w, "left") {
		if len(left.Wrong) > 0 {
			t.Errorf("the page did %q", left.Wrong)
		}
	}
}

func TestThePageOutlivesTheServer(t *testing.T) {
	address, _ := stage.FreeAddr(t, "127.0.0.1")
	s, url := serve(t, "ADMIN_ADDRESS="+address)
	w := start(t, "lost", url)
	w.await(1, "open", &struct{}{})
	s.Stop()
	var lost struct {
		Feed       string
		Violations []string
	}
	if w.await(1, "lost", &lost); lost.Feed != "Connection lost" || len(lost.Violations) > 0 {
		t.Errorf("the page says %q, with %q", lost.Feed, lost.Violations)
	}
	stage.Start(t, "ADMIN_ADDRESS="+address)
	var back struct{ Banner bool }
	if w.await(1, "back", &back); back.Banner {
		t.Error("the page still says that the connection is lost")
	}
	w.finish()
}

// What the page loads is what npm has under the version that is locked.
func TestMpegtsIsThatOfItsPackage(t *testing.T) {
	for own, packaged := range map[string]string{
		"mpegts.js": "mpegts.js/dist/mpegts.js", "LICENSE.txt": "mpegts.js/LICENSE",
		"es6-promise.LICENSE.txt": "mpegts.js/dist/mpegts.js.LICENSE.txt", "events.LICENSE.txt": "events/LICENSE",
	} {
		got, err := os.ReadFile(filepath.Join("..", "..", "internal", "dashboard", "site", "mpegts", own))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("node_modules", packaged))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not %s", own, packaged)
		}
	}
}
