package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// The pictures of the documentation are of the real thing.
func TestScreenshots(t *testing.T) {
	dir, seconds := *folder, "30"
	if dir == "" {
		dir, seconds = t.TempDir(), "1"
	}
	s, url := serve(t, "RTMP_HOST=live.example.com")
	for i, channel := range []struct {
		name, clip string
		viewers    int
		options    []string
	}{
		{"main-stage", "large", 7, nil},
		{"workshop", "small", 3, nil},
		{"lobby-camera", "small", 0, nil},
		{"radio", "small", 4, []string{"-vn"}},
		{"keynote", "large", 2, nil},
	} {
		path := fmt.Sprintf("%s/key-of-%s-%d", channel.name, channel.name, i)
		publish(t, s, channel.clip, path, channel.options...)
		for range channel.viewers {
			stage.Play(t, s, path).Record()
		}
	}
	stage.Play(t, s, "rehearsal/key-of-the-rehearsal").Record()
	stage.Publish(t, s, "workshop-b/key-of-the-workshop").Reset()
	for _, shot := range each[struct {
		Name  string
		Wrong []string
	}](start(t, "screenshots", url, dir, "main-stage", seconds), "screenshot") {
		info, err := os.Stat(filepath.Join(dir, shot.Name+".png"))
		if err != nil || info.Size() < 10_000 || len(shot.Wrong) > 0 {
			t.Errorf("%s: %v, %q", shot.Name, err, shot.Wrong)
		}
	}
}
