// Command rtmp-server is a live-streaming server: encoders publish over RTMP,
// and any number of viewers watch.
//
// All settings are environment variables; rtmp-server --help lists them.
// rtmp-server bench measures a server instead.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/app"
	"github.com/AgustinSRG/rtmp-server/internal/bench"
	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/logs"
	"github.com/AgustinSRG/rtmp-server/internal/version"
)

// Exit statuses.
const (
	exitOK       = 0
	exitFailed   = 1
	exitSettings = 2
	exitStuck    = 3
)

// heapSample is how many bytes are allocated, on average, for each sample of the heap's
// profile. With 500 publishers, four times as many samples, as Go takes them, are one
// percent of the work.
const heapSample = 2 << 20

func main() {
	runtime.MemProfileRate = heapSample
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "bench" {
		ctx, stop := signals()
		defer stop()
		return bench.Main(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 {
		return runFlag(args[0], stdout, stderr)
	}
	settings, err := load()
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "rtmp-server: the settings cannot be used:\n%v\n", err)
		return exitSettings
	}
	app.CoarseTimers()
	signal.Ignore(syscall.SIGPIPE) // the streams outlive whoever reads the log
	log, queue := newLogger(stdout, settings)
	defer queue.Close()
	log.LogAttrs(context.Background(), slog.LevelInfo, "rtmp-server "+version.Full(), settings.Effective()...)

	ctx, stop := signals()
	defer stop()
	err = app.Run(ctx, settings, log, queue.Dropped)
	if stuck := new(app.StuckError); errors.As(err, &stuck) {
		log.Error("stuck, ending so that a supervisor starts the server anew", "error", err)
		dump(stderr, stuck.Stacks)
		return exitStuck
	}
	if err != nil {
		log.Error("cannot serve", "error", err)
		return exitFailed
	}
	return exitOK
}

// dumpTimeout bounds the writing of stacks to whoever may not read them.
const dumpTimeout = 5 * time.Second

func dump(stderr io.Writer, stacks []byte) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = stderr.Write(stacks)
	}()
	select {
	case <-written:
	case <-time.After(dumpTimeout):
	}
}

// signals returns a context that ends with the first signal to stop. The next
// one ends the process at once.
func signals() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func runFlag(flag string, stdout, stderr io.Writer) int {
	switch flag {
	case "--help", "-help", "-h", "help":
		if err := config.WriteHelp(stdout); err != nil {
			return exitFailed
		}
		return exitOK
	case "--version", "-version", "version":
		_, _ = fmt.Fprintln(stdout, "rtmp-server", version.Full())
		return exitOK
	case "--check":
		return check(stderr)
	default:
		_, _ = fmt.Fprintf(stderr, "rtmp-server: unknown argument %q; settings are environment variables, see --help\n", flag)
		return exitSettings
	}
}

// check tells whether the server with the same settings answers.
func check(stderr io.Writer) int {
	settings, err := load()
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "rtmp-server: the settings cannot be used:\n%v\n", err)
		return exitSettings
	}
	if err := app.Check(context.Background(), settings); err != nil {
		_, _ = fmt.Fprintf(stderr, "rtmp-server: does not answer: %v\n", err)
		return exitFailed
	}
	return exitOK
}

func load() (config.Settings, error) {
	lookup, err := config.DotEnv(".env")
	if err != nil {
		return config.Settings{}, err
	}
	return config.Load(lookup)
}

func newLogger(w io.Writer, settings config.Settings) (*slog.Logger, *logs.Queue) {
	level := slog.LevelInfo
	if settings.LogDebug {
		level = slog.LevelDebug
	}
	return logs.New(w, logs.Format(settings.LogFormat), level)
}
