package bench

import (
	"errors"
	"fmt"
	"time"
)

// Options say what load to make.
type Options struct {
	// URL is where to publish and play; "{n}" in it is the number of the
	// stream, from 0.
	URL string
	// Publishers is how many streams are published; with 0, stream 0 is played
	// as somebody else publishes it.
	Publishers int
	// Players are spread round robin over the streams.
	Players int
	// Watchers is how many of the players wake on each event.
	Watchers int
	// Stalled is how many further players join and never read.
	Stalled int
	// Bitrate is that of a stream, video and audio together, in bits per
	// second of payload.
	Bitrate int
	// FPS is the video frames a second of a stream.
	FPS int
	// GOP is the time between keyframes.
	GOP time.Duration
	// Duration is how long the steady state is measured.
	Duration time.Duration
	// Ramp is how many publishers or players join per second.
	Ramp int
	// Settle is the time between the last join and the measurement.
	Settle time.Duration
	// Tick is how often the players other than the watchers read.
	Tick time.Duration
	// PIDs are local processes of the server whose costs are measured.
	PIDs []int
	// Insecure has the certificate of an rtmps URL go unverified.
	Insecure bool
}

// Defaults returns the options that the command line starts from.
func Defaults() Options {
	return Options{
		URL:        "rtmp://127.0.0.1:1935/bench{n}/key",
		Publishers: 1,
		Players:    100,
		Watchers:   4,
		Bitrate:    2_500_000,
		FPS:        30,
		GOP:        2 * time.Second,
		Duration:   30 * time.Second,
		Ramp:       500,
		Settle:     3 * time.Second,
		Tick:       10 * time.Millisecond,
	}
}

const (
	// joinTimeout is the longest that connecting to playing or publishing may
	// take. It stops a server that answers nothing from holding the run up.
	joinTimeout = 10 * time.Second
	// grace is how long after the window messages of it may still arrive.
	grace = 2 * time.Second
)

// check tells what is wrong with the options, and returns the targets.
func (o Options) check() ([]target, error) {
	var problems []error
	for _, f := range []struct {
		name          string
		value, lowest int
	}{
		{"publishers", o.Publishers, 0},
		{"players", o.Players, 0},
		{"watchers", o.Watchers, 0},
		{"stalled", o.Stalled, 0},
		{"fps", o.FPS, 1},
		{"ramp", o.Ramp, 1},
	} {
		if f.value < f.lowest {
			problems = append(problems, fmt.Errorf("-%s is %d, at least %d is needed", f.name, f.value, f.lowest))
		}
	}
	for _, f := range []struct {
		name          string
		value, lowest time.Duration
	}{
		{"gop", o.GOP, 0},
		{"duration", o.Duration, 100 * time.Millisecond},
		{"settle", o.Settle, 0},
		{"tick", o.Tick, time.Millisecond},
	} {
		if f.value < f.lowest {
			problems = append(problems, fmt.Errorf("-%s is %v, at least %v is needed", f.name, f.value, f.lowest))
		}
	}
	if o.Publishers+o.Players == 0 {
		problems = append(problems, errors.New("neither publishers nor players are asked for"))
	}
	if err := o.checkPorts(localPorts()); err != nil {
		problems = append(problems, err)
	}
	if len(problems) == 0 && o.Publishers > 0 {
		if _, err := newShape(o); err != nil {
			problems = append(problems, err)
		}
	}
	targets, err := targetsOf(o.URL, max(o.Publishers, 1))
	if err != nil {
		problems = append(problems, err)
	}
	if err == nil && o.Publishers > 0 && targets[0].web != webNone {
		problems = append(problems, errors.New("nothing can be published over HTTP: use -publishers 0, and another bench that publishes"))
	}
	return targets, errors.Join(problems...)
}

// connections is how many connections the run holds at a time.
func (o Options) connections() int { return o.Publishers + o.Players + o.Stalled }
