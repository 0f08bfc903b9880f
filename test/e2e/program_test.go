package e2e

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// packages are where the programs come from.
var packages = map[string]string{
	"ffmpeg":         "ffmpeg",
	"ffprobe":        "ffmpeg",
	"rtmpdump":       "rtmpdump",
	"gst-launch-1.0": "gstreamer1.0-tools",
	"ip":             "iproute2",
	"tc":             "iproute2",
	"nft":            "nftables",
	"nginx":          "nginx",
	"node":           "nodejs",
	"setpriv":        "util-linux",
	"cvlc":           "vlc-bin",
}

// program is a running encoder or player.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	output bytes.Buffer // what it complained of; to be read after done
	done   chan struct{}
	err    error
}

// startProgram runs a program, which is killed when the test ends.
func startProgram(t *testing.T, name string, args ...string) *program {
	t.Helper()
	return launch(t, nil, name, args...)
}

// launch runs a program with its standard output going to stdout.
func launch(t *testing.T, stdout io.Writer, name string, args ...string) *program {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: install package %s (test/packages.sh does)", name, packages[name])
	}
	p := &program{t: t, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = stdout, &p.output
	if stdout == nil {
		p.cmd.Stdout = &p.output
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // also ends a program that SIGSTOP stopped
		<-p.done
	})
	return p
}

// wait returns how the program ended, which it must do in time.
func (p *program) wait(within time.Duration) error {
	p.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.err
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.done
		p.t.Fatalf("%s still runs after %v\n%s", p, within, p.output.String())
		return nil
	}
}

// succeed wants the program to end without a complaint.
func (p *program) succeed(within time.Duration) {
	p.t.Helper()
	if err := p.wait(within); err != nil || p.output.Len() > 0 {
		p.t.Errorf("%s: %v\n%s", p, err, p.output.String())
	}
}

// refuse wants the program to end with an error.
func (p *program) refuse(within time.Duration) {
	p.t.Helper()
	if err := p.wait(within); err == nil {
		p.t.Errorf("%s ended without an error", p)
	}
}

func (p *program) String() string { return strings.Join(p.cmd.Args, " ") }

// ffmpeg starts FFmpeg, silent but for errors.
func ffmpeg(t *testing.T, args ...string) *program {
	t.Helper()
	return startProgram(t, "ffmpeg", append([]string{"-nostdin", "-hide_banner", "-v", "error"}, args...)...)
}

// ffmpegPublish publishes a file in real time, packet by packet. FFmpeg resets the
// connection at the end if something from the server is unread, with its goodbye
// unsent: tests that want its end seen at once, and send enough for an
// acknowledgement, set PUBLISH_GRACE_SECONDS=0.
func ffmpegPublish(t *testing.T, file, url string, options ...string) *program {
	t.Helper()
	args := append([]string{"-re", "-i", file}, options...)
	return ffmpeg(t, append(args, "-c", "copy", "-f", "flv", url)...)
}

// players store what they play in an FLV file, as it comes.
var players = []struct {
	name string
	play func(t *testing.T, url, file string) *program
	// drops is how many packets of each kind the program may leave out at the
	// end. GStreamer forgets the message it has not passed on yet when it reads
	// of the end of the stream.
	drops int
}{
	{name: "ffmpeg", play: func(t *testing.T, url, file string) *program {
		return ffmpeg(t, "-i", url, "-c", "copy", "-copyts", "-f", "flv", file)
	}},
	{name: "rtmpdump", play: func(t *testing.T, url, file string) *program {
		return startProgram(t, "rtmpdump", "-q", "--live", "-r", url, "-o", file)
	}},
	{name: "gstreamer", drops: 1, play: func(t *testing.T, url, file string) *program {
		return startProgram(t, "gst-launch-1.0", "-q", "rtmp2src", "location="+url, "!", "filesink", "location="+file)
	}},
}
