package stage

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
	"haproxy":        "haproxy",
	"node":           "nodejs",
	"setpriv":        "util-linux",
	"taskset":        "util-linux",
	"renice":         "bsdutils",
	"strace":         "strace",
	"cvlc":           "vlc-bin",
	"prometheus":     "prometheus",
	"promtool":       "prometheus",
}

// Program is a running encoder or player.
type Program struct {
	t      *testing.T
	Cmd    *exec.Cmd
	Output bytes.Buffer // what it complained of; to be read after done
	Done   chan struct{}
	err    error
}

// StartProgram runs a program, which is killed when the test ends.
func StartProgram(t *testing.T, name string, args ...string) *Program {
	t.Helper()
	return Launch(t, nil, name, args...)
}

// Launch runs a program with its standard output going to stdout.
func Launch(t *testing.T, stdout io.Writer, name string, args ...string) *Program {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: install package %s (test/packages.sh does)", name, packages[name])
	}
	p := &Program{t: t, Cmd: exec.Command(path, args...), Done: make(chan struct{})}
	p.Cmd.Stdout, p.Cmd.Stderr = stdout, &p.Output
	if stdout == nil {
		p.Cmd.Stdout = &p.Output
	}
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.Done)
		p.err = p.Cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.Cmd.Process.Kill() // also ends a program that SIGSTOP stopped
		<-p.Done
	})
	return p
}

// Wait returns how the program ended, which it must do in time.
func (p *Program) Wait(within time.Duration) error {
	p.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.Done:
		return p.err
	case <-timer.C:
		_ = p.Cmd.Process.Kill()
		<-p.Done
		p.t.Fatalf("%s still runs after %v\n%s", p, within, p.Output.String())
		return nil
	}
}

// Succeed wants the program to end without a complaint.
func (p *Program) Succeed(within time.Duration) {
	p.t.Helper()
	if err := p.Wait(within); err != nil || p.Output.Len() > 0 {
		p.t.Errorf("%s: %v\n%s", p, err, p.Output.String())
	}
}

// Refuse wants the program to end with an error.
func (p *Program) Refuse(within time.Duration) {
	p.t.Helper()
	if err := p.Wait(within); err == nil {
		p.t.Errorf("%s ended without an error", p)
	}
}

func (p *Program) String() string { return strings.Join(p.Cmd.Args, " ") }

// Ffmpeg starts FFmpeg, silent but for errors.
func Ffmpeg(t *testing.T, args ...string) *Program {
	t.Helper()
	return StartProgram(t, "ffmpeg", append([]string{"-nostdin", "-hide_banner", "-v", "error"}, args...)...)
}

// FfmpegPublish publishes a file in real time, packet by packet. FFmpeg resets the
// connection at the end if something from the server is unread, with its goodbye
// unsent: tests that want its end seen at once, and send enough for an
// acknowledgement, set PUBLISH_GRACE_SECONDS=0.
func FfmpegPublish(t *testing.T, file, url string, options ...string) *Program {
	t.Helper()
	args := append([]string{"-re", "-i", file}, options...)
	return Ffmpeg(t, append(args, "-c", "copy", "-f", "flv", url)...)
}

// Players store what they play in an FLV file, as it comes.
var Players = []struct {
	Name string
	Play func(t *testing.T, url, file string) *Program
	// Drops is how many packets of each kind the program may leave out at the
	// end. GStreamer forgets the message it has not passed on yet when it reads
	// of the end of the stream.
	Drops int
}{
	{Name: "ffmpeg", Play: func(t *testing.T, url, file string) *Program {
		return Ffmpeg(t, "-i", url, "-c", "copy", "-copyts", "-f", "flv", file)
	}},
	{Name: "rtmpdump", Play: func(t *testing.T, url, file string) *Program {
		return StartProgram(t, "rtmpdump", "-q", "--live", "-r", url, "-o", file)
	}},
	{Name: "gstreamer", Drops: 1, Play: func(t *testing.T, url, file string) *Program {
		return StartProgram(t, "gst-launch-1.0", "-q", "rtmp2src", "location="+url, "!", "filesink", "location="+file)
	}},
}
