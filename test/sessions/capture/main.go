// Command capture records the sessions of package sessions: it serves RTMP on a
// free port of 127.0.0.1, has Debian's FFmpeg, GStreamer and rtmpdump publish and
// play there, and keeps what each of them sent. It is started from the root of
// the repository, with the programs that test/packages.sh installs.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

const (
	directory = "test/sessions/testdata"
	// longest is how much is kept of a session. All commands and a second of media
	// fit, and the fuzzer is still quick with it.
	longest = 24 << 10
	// patience is how long a program may take.
	patience = 20 * time.Second

	chunkSize = 60000
)

// The media: as small as an encoder makes it.
const (
	picture = "testsrc2=size=64x48:rate=10"
	sound   = "sine=frequency=440:sample_rate=22050"
	encoded = " -c:v libx264 -preset ultrafast -g 10 -pix_fmt yuv420p -b:v 40k -c:a aac -b:a 24k"
	feed    = "ffmpeg -nostdin -v error -re -f lavfi -i " + picture + " -f lavfi -i " + sound + " -t 4" + encoded + " -f flv URL"

	gstreamer = "gst-launch-1.0 -q flvmux name=mux streamable=true ! SINK" +
		" videotestsrc num-buffers=20 ! video/x-raw,width=64,height=48,framerate=10/1 ! x264enc bitrate=40 key-int-max=10 speed-preset=ultrafast ! mux." +
		" audiotestsrc num-buffers=40 ! audio/x-raw,rate=22050 ! avenc_aac bitrate=24000 ! mux."
)

// recordings are the programs by the name of the file. Those that play need
// somebody who publishes.
var recordings = []struct {
	name, command string
	plays         bool
}{
	{"ffmpeg-publish", strings.Replace(feed, "-t 4", "-t 2", 1), false},
	{"ffmpeg-play", "ffmpeg -nostdin -v error -i URL -t 1 -f null -", true},
	{"gstreamer-publish", strings.Replace(gstreamer, "SINK", "rtmp2sink location=URL", 1), false},
	{"gstreamer-play", "gst-launch-1.0 -q rtmp2src num-buffers=30 location=URL ! fakesink", true},
	{"librtmp-publish", strings.Replace(gstreamer, "SINK", "rtmpsink location=URL", 1), false},
	{"rtmpdump-play", "rtmpdump -q --live --stop 1 -r URL -o " + os.DevNull, true},
}

func main() {
	for _, r := range recordings {
		if err := record(r.name, r.command, r.plays); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", r.name, err)
			os.Exit(1)
		}
	}
}

func record(name, command string, plays bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	listener, err := listen(ctx)
	if err != nil {
		return err
	}
	srv := newServer()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	defer func() { _ = errors.Join(srv.Close(), <-served) }()

	url := "rtmp://" + listener.Addr().String() + "/live/key"
	if plays {
		publisher := program(ctx, feed, url)
		if err := publisher.Start(); err != nil {
			return err
		}
		defer func() {
			cancel()
			_ = publisher.Wait()
		}()
		select {
		case <-listener.accepted: // a player that comes first waits for it
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := program(ctx, command, url).Run(); err != nil {
		return err
	}
	sent, err := listener.last(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes\n", name, len(sent))
	return os.WriteFile(filepath.Join(directory, name+".rtmp"), sent, 0o600)
}

// program is a command whose words are separated by single spaces.
func program(ctx context.Context, command, url string) *exec.Cmd {
	words := strings.Fields(strings.ReplaceAll(command, "URL", url))
	cmd := exec.CommandContext(ctx, words[0], words[1:]...) // #nosec G204 -- one of the commands above
	cmd.Stderr = os.Stderr
	return cmd
}

func newServer() *server.Server {
	everyone, _ := access.ParseList("*")
	return server.New(server.Options{
		Registry:    stream.NewRegistry(stream.Options{ChunkSize: chunkSize, CacheBytes: 1 << 20}),
		Limiter:     access.NewLimiter(0, access.List{}, 64),
		Players:     everyone,
		ChunkSize:   chunkSize,
		IDMaxLength: 128,
		Log:         slog.New(slog.DiscardHandler),
	})
}

func listen(ctx context.Context) (*recorder, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &recorder{Listener: listener, accepted: make(chan struct{}, 16)}, nil
}
