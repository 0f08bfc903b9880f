package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// nginxConfig is of an nginx that passes on what is published to it, and fetches
// what is played from it, from and to another server.
const nginxConfig = `load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr error;
events {}
rtmp {
	access_log off;
	server {
		listen %[2]s;
		application push {
			live on;
			push %[3]s;
		}
		application pull {
			live on;
			pull %[3]s name=local;
		}
	}
}
`

// startNginx returns the address of nginx-rtmp that relays to and from a URL.
func startNginx(t *testing.T, url string) (addr string) {
	t.Helper()
	addr, _ = stage.FreeAddr(t, "127.0.0.1")
	dir := t.TempDir()
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, addr, url), 0o600); err != nil {
		t.Fatal(err)
	}
	nginx := stage.StartProgram(t, "nginx", "-e", "stderr", "-p", dir, "-c", config)
	for overdue := time.Now().Add(stage.Soon); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return addr
		}
		if time.Now().After(overdue) || !stage.Pause(t.Context(), 20*time.Millisecond) {
			_ = nginx.Cmd.Process.Kill()
			<-nginx.Done
			t.Fatalf("nginx does not listen: %v\n%s", err, nginx.Output.String())
		}
	}
}

// nginx-rtmp publishes here what is published to it: from a keyframe on, since
// it connects when it has got the first frames.
func TestNginxPushes(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 214)
	s := stage.Start(t, "PUBLISH_GRACE_SECONDS=0") // nginx-rtmp hangs up without a goodbye
	const path = "channel/key"
	addr := startNginx(t, s.URL(path))
	file := filepath.Join(t.TempDir(), "played.flv")
	player := stage.Ffmpeg(t, "-i", s.URL(path), "-c", "copy", "-copyts", "-f", "flv", file)
	s.AwaitLine("msg=play")
	stage.FfmpegPublish(t, mediaPath(fileAV), "rtmp://"+addr+"/push/any").Succeed(mediaLength + stage.Soon)

	missing := checkStored(t, playing{player, "ffmpeg", file, 0}, packetsOf(t, mediaPath(fileAV)))
	for kind, m := range missing {
		if m.start > 45 {
			t.Errorf("the first %d %s packets are missing", m.start, kind)
		}
	}
}

// nginx-rtmp plays from here what is played from it.
func TestNginxPulls(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 214)
	s := stage.Start(t)
	const path = "channel/key"
	player, err := stage.TryPlay(t, "", startNginx(t, s.URL(path)), "pull/local")
	if err != nil {
		t.Fatal(err)
	}
	played := player.Record()
	s.AwaitLine("msg=play")
	stage.FfmpegPublish(t, mediaPath(fileAV), s.URL(path)).Succeed(mediaLength + stage.Soon)

	want := framesOf(t, mediaPath(fileAV))
	got := 0
	all, ok := played.Await(stage.Soon, func(m rtmp.Message) bool {
		if stage.IsMedia(m) {
			got++
		}
		return got == len(want)
	})
	if !ok {
		t.Errorf("%d frames came of %d", got, len(want))
	}
	if err := stage.SameFrames(stage.Frames(all), want); err != nil {
		t.Error(err)
	}
}
