package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/coder/websocket"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// startWithHTTP starts a server with a port for HTTP, and returns its address.
func startWithHTTP(t *testing.T, settings ...string) (s *stage.Server, addr string) {
	t.Helper()
	return startWithHTTPAnd(t, append(settings, "PUBLISH_GRACE_SECONDS=0")...)
}

// startWithHTTPAnd is startWithHTTP as operators have it.
func startWithHTTPAnd(t *testing.T, settings ...string) (s *stage.Server, addr string) {
	t.Helper()
	addr, port := stage.FreeAddr(t, "127.0.0.1")
	s = stage.Start(t, append(settings, "HTTP_PORT="+port, "MAX_IP_CONCURRENT_CONNECTIONS=0")...)
	s.AwaitLine("msg=listening", "protocol=http ")
	return s, addr
}

// socketToFile stores what comes over a WebSocket, until it is closed as it should
// be.
func socketToFile(t *testing.T, url, file string) <-chan error {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), url, nil) //nolint:bodyclose // it has none
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		defer func() { _ = c.CloseNow() }()
		for {
			_, message, err := c.Read(t.Context())
			if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
				done <- out.Close()
				return
			}
			if err == nil {
				_, err = out.Write(message)
			}
			if err != nil {
				done <- errors.Join(err, out.Close())
				return
			}
		}
	}()
	return done
}

// Viewers over HTTP and WebSocket store exactly what was published, whether they
// waited or came in the middle.
func TestViewersOverHTTPGetWhatWasPublished(t *testing.T) {
	t.Parallel()
	for _, name := range []string{fileAV, fileAudio, fileMP3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, addr := startWithHTTP(t)
			const path = "channel/key"
			dir := t.TempDir()
			http := func(name string) playing {
				file := filepath.Join(dir, name+".flv")
				p := stage.Ffmpeg(t, "-i", "http://"+addr+"/"+path+".flv", "-c", "copy", "-copyts", "-f", "flv", file)
				return playing{p, name, file, 0}
			}
			socket := filepath.Join(dir, "socket.flv")
			watcher := stage.Play(t, s, path).Record()
			waiting := http("waiting")
			stored := socketToFile(t, "ws://"+addr+"/"+path+".flv", socket)
			s.AwaitLines(3, 2*stage.Soon, "msg=play")
			publisher := stage.FfmpegPublish(t, mediaPath(name), s.URL(path))
			stage.AwaitTime(t, watcher, 2200)
			late := http("late")
			publisher.Succeed(mediaLength + stage.Soon)

			sent := packetsOf(t, mediaPath(name))
			for kind, missing := range checkStored(t, waiting, sent) {
				if missing.start != 0 {
					t.Errorf("who waited missed the first %d %s packets", missing.start, kind)
				}
			}
			for kind, missing := range checkStored(t, late, sent) {
				if len(sent[kind]) > 0 && missing.start == 0 {
					t.Errorf("who came late got old %s", kind)
				}
			}
			if err := <-stored; err != nil {
				t.Errorf("WebSocket: %v", err)
			}
			for kind, missing := range checkFile(t, playing{nil, "WebSocket", socket, 0}, sent) {
				if missing.start != 0 {
					t.Errorf("the WebSocket missed the first %d %s packets", missing.start, kind)
				}
			}
		})
	}
}

// What FFmpeg 8.1 publishes in the codecs of Enhanced RTMP it plays over HTTP, too.
func TestFFmpeg8PlaysEnhancedRTMPOverHTTP(t *testing.T) {
	t.Parallel()
	for _, file := range []string{fileHEVC, fileAV1} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s, addr := startWithHTTP(t)
			waiting := startFFmpeg8(t, "play", "http://"+addr+"/channel/key.flv")
			s.AwaitLine("msg=play", "protocol=http-flv")
			publisher := startFFmpeg8(t, "publish", enhancedPath(file), s.URL("channel/key"))
			sent := publisher.streams(t, mediaLength+stage.Soon)
			checkPlayedFromTheStart(t, "who waited", sent, waiting.streams(t, stage.Soon))
		})
	}
}

func TestFiftyViewersOverHTTPComeAndGo(t *testing.T) {
	t.Parallel()
	s, addr := startWithHTTP(t)
	const path = "channel/key"
	watcher := stage.Play(t, s, path).Record()
	publisher := stage.FfmpegPublish(t, mediaPath(fileAV), s.URL(path))
	stage.AwaitTime(t, watcher, 500)
	for i := range 50 {
		r, err := http.Get(fmt.Sprintf("http://%s/%s.flv?n=%d", addr, path, i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, r.Body, 1000); err != nil {
			t.Errorf("%s: %v", r.Status, err)
		}
		_ = r.Body.Close()
	}
	publisher.Succeed(mediaLength + stage.Soon)
	s.AwaitLines(50, stage.Soon, "msg=end", " id=h", "role=player")
}
