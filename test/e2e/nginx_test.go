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
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, addr, url), 0o600); err != nil {
		t.Fatal(err)
	}
	nginx := startProgram(t, "nginx", "-e", "stderr", "-p", dir, "-c", config)
	for overdue := time.Now().Add(soon); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return addr
		}
		if time.Now().After(overdue) || !pause(t.Context(), 20*time.Millisecond) {
			_ = nginx.cmd.Process.Kill()
			<-nginx.done
			t.Fatalf("nginx does not listen: %v\n%s", err, nginx.output.String())
		}
	}
}

// nginx-rtmp publishes here what is published to it: from a keyframe on, since
// it connects when it has got the first frames.
func TestNginxPushes(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 214)
	s := startServer(t, "PUBLISH_GRACE_SECONDS=0") // nginx-rtmp hangs up without a goodbye
	const path = "channel/key"
	addr := startNginx(t, s.url(path))
	file := filepath.Join(t.TempDir(), "played.flv")
	player := ffmpeg(t, "-i", s.url(path), "-c", "copy", "-copyts", "-f", "flv", file)
	s.awaitLine("msg=play")
	ffmpegPublish(t, mediaPath(fileAV), "rtmp://"+addr+"/push/any").succeed(mediaLength + soon)

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
	s := startServer(t)
	const path = "channel/key"
	player, err := tryPlay(t, "", startNginx(t, s.url(path)), "pull/local")
	if err != nil {
		t.Fatal(err)
	}
	played := player.record()
	s.awaitLine("msg=play")
	ffmpegPublish(t, mediaPath(fileAV), s.url(path)).succeed(mediaLength + soon)

	want := framesOf(t, mediaPath(fileAV))
	got := 0
	all, ok := played.await(soon, func(m rtmp.Message) bool {
		if isMedia(m) {
			got++
		}
		return got == len(want)
	})
	if !ok {
		t.Errorf("%d frames came of %d", got, len(want))
	}
	if err := sameFrames(frames(all), want); err != nil {
		t.Error(err)
	}
}
