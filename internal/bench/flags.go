package bench

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
)

// Exit statuses of Main.
const (
	exitMeasured = 0
	exitFailed   = 1
	exitUsage    = 2
)

// minProcs is how many processors Go is made to believe in at least: on a
// single one, the event loop of the crowd would hold the watchers up. The
// kernel divides the real one better.
const minProcs = 4

// settings is what the command line says.
type settings struct {
	options     Options
	json, quiet bool
}

// Main is `rtmp-server bench`: it runs with the given arguments until it is done
// or ctx ends, and returns the exit status: 0 if it measured, 1 if it could not,
// 2 if the arguments are wrong.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitMeasured
	case err != nil:
		return exitUsage // parse has told why
	}
	if _, err := s.options.check(); err != nil {
		_, _ = fmt.Fprintf(stderr, "rtmp-server bench: %v\n", err)
		return exitUsage
	}
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), minProcs))
	report, err := Run(ctx, s.options, s.quiet, stderr)
	if report.Seconds > 0 {
		if printErr := s.print(stdout, report); printErr != nil {
			err = errors.Join(err, printErr)
		}
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "rtmp-server bench: could not measure: %v\n", err)
		return exitFailed
	}
	return exitMeasured
}

func (s *settings) print(w io.Writer, r Report) error {
	if !s.json {
		return r.WriteText(w)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// parse reads the arguments, and writes what is wrong with them to stderr.
func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{options: Defaults()}
	o := &s.options
	f := flag.NewFlagSet("rtmp-server bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		_, _ = fmt.Fprintf(stderr, "usage: rtmp-server bench [flags] [URL]\n\n"+
			"Publishes and plays streams, and measures what arrives and what it costs the server.\n"+
			"URL is %s by default; {n} is the number of the stream.\n\n", o.URL)
		f.PrintDefaults()
	}
	f.IntVar(&o.Publishers, "publishers", o.Publishers, "streams to publish; 0 plays what somebody else publishes")
	f.IntVar(&o.Players, "players", o.Players, "players in all, round robin over the streams")
	f.IntVar(&o.Watchers, "watchers", o.Watchers, "how many of the players wake on each event, to measure the latency")
	f.IntVar(&o.Stalled, "stalled", o.Stalled, "further players that join and never read")
	f.Var((*bitrate)(&o.Bitrate), "bitrate", "bits a second of a stream, video and audio; takes k and M")
	f.IntVar(&o.FPS, "fps", o.FPS, "video frames a second")
	f.DurationVar(&o.GOP, "gop", o.GOP, "time between keyframes")
	f.DurationVar(&o.Duration, "duration", o.Duration, "how long to measure")
	f.IntVar(&o.Ramp, "ramp", o.Ramp, "publishers or players that join a second")
	f.DurationVar(&o.Settle, "settle", o.Settle, "time between the last join and the measurement")
	f.DurationVar(&o.Tick, "tick", o.Tick, "how often players read that do not watch")
	f.Var((*pids)(&o.PIDs), "pid", "processes of a local server, split by commas, to measure CPU and memory of")
	f.BoolVar(&o.Insecure, "insecure", o.Insecure, "do not verify the certificate of rtmps")
	f.BoolVar(&s.json, "json", false, "write the report as JSON")
	f.BoolVar(&s.quiet, "quiet", false, "write no line each second")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	switch f.NArg() {
	case 0:
	case 1:
		o.URL = f.Arg(0)
	default:
		err := fmt.Errorf("one URL is taken, behind the flags, not %q", f.Args())
		_, _ = fmt.Fprintf(stderr, "rtmp-server bench: %v\n", err)
		return s, err
	}
	return s, nil
}

// bitrate is a number of bits per second: "2.5M", "800k", "64000".
type bitrate int

func (b *bitrate) String() string {
	switch v := float64(*b); {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', -1, 64) + "M"
	case v >= 1e3:
		return strconv.FormatFloat(v/1e3, 'g', -1, 64) + "k"
	default:
		return strconv.Itoa(int(*b))
	}
}

// maxBitrate is far above what one connection carries, and far below what
// would overflow.
const maxBitrate = 100e9

func (b *bitrate) Set(text string) error {
	number, unit := text, 1.0
	switch {
	case strings.HasSuffix(text, "M"):
		number, unit = strings.TrimSuffix(text, "M"), 1e6
	case strings.HasSuffix(text, "k"):
		number, unit = strings.TrimSuffix(text, "k"), 1e3
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v > 0 && v*unit <= maxBitrate) {
		return errors.New("want a bitrate such as 2.5M, 800k or 64000")
	}
	*b = bitrate(v * unit)
	return nil
}

// pids is a list of process ids.
type pids []int

func (p *pids) String() string {
	texts := make([]string, len(*p))
	for i, pid := range *p {
		texts[i] = strconv.Itoa(pid)
	}
	return strings.Join(texts, ",")
}

func (p *pids) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		pid, err := strconv.Atoi(part)
		if err != nil || pid < 1 {
			return errors.New("want process ids, split by commas")
		}
		*p = append(*p, pid)
	}
	return nil
}
