package health

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

const each = 5 * time.Second

// play has a watch look at a channel again and again, and returns what it says: a
// character for each look. In the history, x is a look at a stream with stalls, and -
// at none; any other digit is a new publication. It says B for the beginning of the
// warning, O for its end, a point for nothing.
func play(t *testing.T, w *Watch, history string) (said string) {
	t.Helper()
	at := now
	started := at.Add(-time.Minute)
	for _, found := range history {
		at = at.Add(each)
		c := sound()
		c.Flow.LastVideo, c.Flow.LastAudio, c.Flow.LastKeyframe = at, at, at
		switch found {
		case 'x':
			c.Flow.RecentStalls = 5
		case '-':
		default:
			started = at
			c.Live = found != '0'
		}
		c.Started = started
		changes := w.Look(at, []stream.ChannelInfo{c})
		switch {
		case len(changes) == 0:
			said += "."
		case len(changes) > 1 || changes[0].Code != Stalls || changes[0].Channel != "live":
			t.Fatalf("it says %+v", changes)
		case changes[0].Over:
			said += "O"
		default:
			said += "B"
		}
	}
	return said
}

func TestAWarningIsToldOnceWhenItBeginsAndOnceWhenItIsOver(t *testing.T) {
	for _, test := range []struct{ name, history, want string }{
		{"all is well", "----------", ".........."},
		{"it stays", "--xxxxxxxxx", "...B......."},
		{"a single look", "--x-----", "........"},
		{"now and then", "x-x-x-x-x-", ".........."},
		{"it ends", "xx------xxx", ".B.....O.B."},
		{"it comes and goes", "xx---x----xx-----x", ".B................"},
		{"it begins anew", "xx------xx------", ".B.....O.B.....O"},
		{"another publication", "xx1xx", ".B..B"},
		{"the end of the publication", "xx0----", ".B....."},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := play(t, new(Watch), test.history); got != test.want {
				t.Errorf("%s is told as %s, want %s", test.history, got, test.want)
			}
		})
	}
}

func TestWarningsShowWhileTheyLast(t *testing.T) {
	for history, want := range map[string][]Code{
		"x": nil, "xx": {Stalls}, "xx-----": {Stalls}, "xx------": nil, "xx1": nil, "xx0": nil,
	} {
		w := new(Watch)
		play(t, w, history)
		var got []Code
		for _, warning := range w.Warnings("live") {
			got = append(got, warning.Code)
			if !strings.Contains(warning.Text, "5 times") {
				t.Errorf("it says %q", warning.Text)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %s: %v, want %v", history, got, want)
		}
		for code, n := range w.Counts() {
			if shown := slices.Contains(want, code); (n == 1) != shown || (n == 0) == shown {
				t.Errorf("after %s %d channels have %s", history, n, code)
			}
		}
		if other := w.Warnings("other"); other != nil {
			t.Errorf("another channel has %v", other)
		}
	}
}

func TestTheEndSaysHowLongItLasted(t *testing.T) {
	w := new(Watch)
	c := sound()
	look := func(after time.Duration, stalls int) []Change {
		at := now.Add(after)
		c.Flow.RecentStalls, c.Flow.LastVideo, c.Flow.LastAudio, c.Flow.LastKeyframe = stalls, at, at, at
		return w.Look(at, []stream.ChannelInfo{c})
	}
	look(0, 4)
	text := "The encoder sent nothing for more than a second 4 times in the last minute: " +
		`lower "Bitrate" in OBS ("-b:v" in FFmpeg) to three quarters of what its connection can upload.`
	want := []Change{{Channel: "live", Warning: Warning{Stalls, text}}}
	if got := look(each, 4); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	for i := range overAfter - 1 {
		look(each*time.Duration(2+i), 0)
	}
	want = []Change{{Channel: "live", Warning: Warning{Stalls, text}, Over: true, After: overAfter * each}}
	if got := look(each*(1+overAfter), 0); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestNothingIsKeptOfChannelsThatAreGone(t *testing.T) {
	w := new(Watch)
	for i := range 10_000 {
		c := sound()
		c.Name = fmt.Sprint("channel", i)
		w.Look(now, []stream.ChannelInfo{c})
	}
	if len(w.channels) != 1 {
		t.Errorf("%d channels are kept", len(w.channels))
	}
}

func BenchmarkLookAtAThousandChannels(b *testing.B) {
	channels := make([]stream.ChannelInfo, 1000)
	for i := range channels {
		channels[i] = sound()
		channels[i].Name = fmt.Sprint("channel", i)
	}
	w := new(Watch)
	b.ReportAllocs()
	for b.Loop() {
		w.Look(now, channels)
	}
}
