package metrics

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testOptions = Options{
	Version: "v1.2.3", Reasons: []stream.Reason{"closed by client", "wrong key"},
	Events: []string{"start", "stop"}, Outcomes: []string{"accepted"}, Verbs: []string{"kill-session"}, Results: []string{"done"},
}

// scrape returns the lines of the server's own metrics, comments included.
func scrape(t *testing.T, m *Metrics) []string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d:\n%s", answer.Code, answer.Body)
	}
	var lines []string
	scanner := bufio.NewScanner(answer.Body)
	for scanner.Scan() {
		if strings.Contains(scanner.Text(), "rtmp_") {
			lines = append(lines, scanner.Text())
		}
	}
	return lines
}

func want(t *testing.T, lines []string, all ...string) {
	t.Helper()
	for _, line := range all {
		if !slices.Contains(lines, line) {
			t.Errorf("no line %q in\n%s", line, strings.Join(lines, "\n"))
		}
	}
}

func TestAnnouncedSeriesBeginWithZero(t *testing.T) {
	want(t, scrape(t, New(testOptions)),
		`rtmp_session_ends_total{kind="player",reason="wrong key"} 0`,
		`rtmp_session_ends_total{kind="publisher",reason="closed by client"} 0`,
		`rtmp_refusals_total{reason="wrong key"} 0`,
		`rtmp_callback_seconds_count{event="stop",result="accepted"} 0`,
		`rtmp_redis_commands_total{result="done",verb="kill-session"} 0`,
		`rtmp_flush_viewers_count 0`,
	)
}

func TestWhatHappensIsCounted(t *testing.T) {
	m := New(testOptions)
	for _, kind := range []stream.Kind{stream.KindPlayer, stream.KindRefused} {
		m.Ended(stream.End{Session: stream.Session{Kind: kind}, Reason: "wrong key"})
		m.Ended(stream.End{Session: stream.Session{Kind: kind}, Reason: "never heard of"})
	}
	m.Passed(7, 2*time.Millisecond)
	m.Callback("start", "accepted", 100*time.Millisecond)
	m.Command("kill-session", "done")
	want(t, scrape(t, m),
		`rtmp_session_ends_total{kind="player",reason="wrong key"} 1`,
		`rtmp_session_ends_total{kind="player",reason="other"} 1`,
		`rtmp_session_ends_total{kind="publisher",reason="wrong key"} 0`,
		`rtmp_refusals_total{reason="wrong key"} 1`,
		`rtmp_refusals_total{reason="other"} 1`,
		`rtmp_flush_viewers_bucket{le="5"} 0`,
		`rtmp_flush_viewers_bucket{le="10"} 1`,
		`rtmp_flush_seconds_bucket{le="0.001"} 0`,
		`rtmp_flush_seconds_bucket{le="0.0025"} 1`,
		`rtmp_callback_seconds_sum{event="start",result="accepted"} 0.1`,
		`rtmp_redis_commands_total{result="done",verb="kill-session"} 1`,
	)
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// everything has a value for each source.
var everything = Sources{
	Sessions: func() []stream.Session {
		player := stream.Session{Kind: stream.KindPlayer, Protocol: stream.ProtocolRTMPS, Key: "secret", Live: true}
		slow, waiting := player, player
		slow.Lag, waiting.Live, waiting.Lag = 3*time.Second, false, time.Hour
		return []stream.Session{player, slow, waiting, {Kind: stream.KindPublisher, Protocol: stream.ProtocolRTMP}}
	},
	Traffic: func() []stream.Traffic {
		return []stream.Traffic{{
			Protocol: stream.ProtocolRTMP, Open: 1, Accepted: 2, BytesIn: 3, BytesOut: 4,
			MessagesIn: 5, MessagesOut: 6, Skipped: 7, Skips: 8,
		}}
	},
	Channels: func() []stream.ChannelInfo {
		return []stream.ChannelInfo{
			{
				Name: "live", Key: "secret", Live: true, Started: epoch, Viewers: 2,
				Flow: stream.Flow{
					Bytes: 1000, Bitrate: 2000, FrameRate: 25, KeyframeInterval: 2 * time.Second, Stalls: 1,
				},
				Repairs: stream.Repairs{Jumps: 1, Backward: 2, Stuck: 3},
			},
			{Name: "gone", Interrupted: true, Viewers: 1},
			{Name: "awaited\xff", Viewers: 1},
			{Name: "odd\xff", Live: true, Started: epoch},
		}
	},
	PendingStops: func() int { return 9 },
	Redis:        func() (bool, time.Duration) { return true, 90 * time.Second },
	Panics:       func() uint64 { return 11 },
	LogLost:      func() uint64 { return 12 },
	Warnings:     func() map[string]int { return map[string]int{"no-media": 2, "stalls": 0} },
	Budgets:      func() []Budget { return []Budget{{"connections", 10, 100}} },
}

func TestSourcesAreAskedAtEachScrape(t *testing.T) {
	m := New(testOptions)
	m.Watch(everything)
	lines := scrape(t, m)
	want(t, lines,
		`rtmp_connections{protocol="rtmp"} 1`,
		`rtmp_connections_accepted_total{protocol="rtmp"} 2`,
		`rtmp_received_bytes_total{protocol="rtmp"} 3`,
		`rtmp_sent_bytes_total{protocol="rtmp"} 4`,
		`rtmp_received_messages_total{protocol="rtmp"} 5`,
		`rtmp_sent_messages_total{protocol="rtmp"} 6`,
		`rtmp_skipped_messages_total{protocol="rtmp"} 7`,
		`rtmp_skips_total{protocol="rtmp"} 8`,
		`rtmp_sessions{kind="player",protocol="rtmps"} 3`,
		`rtmp_sessions{kind="player",protocol="http-flv"} 0`,
		`rtmp_sessions{kind="publisher",protocol="rtmp"} 1`,
		`rtmp_player_lag_seconds_bucket{le="2"} 1`,
		`rtmp_player_lag_seconds_bucket{le="4"} 2`,
		`rtmp_player_lag_seconds_sum 3`,
		`rtmp_player_lag_max_seconds 3`,
		`rtmp_channels{state="live"} 2`,
		`rtmp_channels{state="interrupted"} 1`,
		`rtmp_channels{state="waiting"} 1`,
		`rtmp_channel_viewers{channel="live"} 2`,
		`rtmp_channel_viewers{channel="odd�"} 0`,
		`rtmp_channel_received_bytes_total{channel="live"} 1000`,
		`rtmp_channel_bits_per_second{channel="live"} 2000`,
		`rtmp_channel_frames_per_second{channel="live"} 25`,
		`rtmp_channel_keyframe_interval_seconds{channel="live"} 2`,
		`rtmp_channel_stalls_total{channel="live"} 1`,
		`rtmp_channel_timestamp_repairs_total{channel="live"} 6`,
		`rtmp_channels_left_out 0`,
		`rtmp_callback_stops_pending 9`,
		`rtmp_redis_connected 1`,
		`rtmp_redis_disconnected_seconds_total 90`,
		`rtmp_panics_total 11`,
		`rtmp_log_lines_lost_total 12`,
		`rtmp_stream_warnings{warning="no-media"} 2`,
		`rtmp_stream_warnings{warning="stalls"} 0`,
		`rtmp_budget_used{budget="connections"} 10`,
		`rtmp_budget_limit{budget="connections"} 100`,
	)
	if all := strings.Join(lines, "\n"); strings.Contains(all, "secret") {
		t.Errorf("a key is in\n%s", all)
	}
}

func TestSourcesThatAreMissingHaveNoSeries(t *testing.T) {
	m := New(Options{})
	m.Watch(Sources{Redis: func() (bool, time.Duration) { return false, 0 }})
	lines := scrape(t, m)
	want(t, lines, `rtmp_redis_connected 0`)
	for _, line := range lines {
		if strings.HasPrefix(line, "rtmp_channel") || strings.HasPrefix(line, "rtmp_budget") {
			t.Errorf("there is %q", line)
		}
	}
}

// TestRandomNamesLeaveTheNumberOfSeriesBounded has channels that no two scrapes
// share, each with the metrics of one.
func TestRandomNamesLeaveTheNumberOfSeriesBounded(t *testing.T) {
	const names, rounds = 100_000, 2
	m := New(testOptions)
	rng := rand.New(rand.NewPCG(1, 2))
	m.Watch(Sources{Channels: func() []stream.ChannelInfo {
		infos := make([]stream.ChannelInfo, names)
		for i := range infos {
			infos[i] = stream.ChannelInfo{
				Name: fmt.Sprintf("%x", rng.Uint64()), Live: true, Started: epoch.Add(time.Duration(rng.IntN(names)) * time.Second),
			}
		}
		infos[names/2] = stream.ChannelInfo{Name: "oldest", Live: true, Started: epoch.Add(-time.Second)}
		return infos
	}})
	for i := range names {
		m.Ended(stream.End{Session: stream.Session{Kind: stream.KindRefused}, Reason: stream.Reason(fmt.Sprint(i))})
		m.Command(fmt.Sprint(i), fmt.Sprint(i))
		m.Callback(fmt.Sprint(i), fmt.Sprint(i), 0)
	}
	for range rounds {
		lines := slices.DeleteFunc(scrape(t, m), func(line string) bool { return strings.HasPrefix(line, "#") })
		if limit := (len(ofChannels)-1)*maxChannels + 200; len(lines) > limit {
			t.Errorf("%d series, want %d at most", len(lines), limit)
		}
		if !slices.Contains(lines, `rtmp_channel_viewers{channel="oldest"} 0`) {
			t.Error("the oldest channel is left out")
		}
		if !slices.Contains(lines, `rtmp_channels_left_out 99000`) {
			t.Error("the number of those left out is missing")
		}
	}
}

// TestTheTableIsWhatIsServed compares the families by name, type and help.
func TestTheTableIsWhatIsServed(t *testing.T) {
	m := New(testOptions)
	m.Watch(everything)
	var served []string
	var help string
	for _, line := range scrape(t, m) {
		if text, ok := strings.CutPrefix(line, "# HELP "); ok {
			help = text
		} else if text, ok := strings.CutPrefix(line, "# TYPE "); ok {
			served = append(served, text+": "+help)
		}
	}
	var declared []string
	for _, f := range slices.Concat(told, lookedUp, ofChannels) {
		declared = append(declared, f.name+" "+f.typeName()+": "+f.name+" "+f.help)
	}
	slices.Sort(served)
	slices.Sort(declared)
	if !slices.Equal(served, declared) {
		t.Errorf("served\n%s\ndeclared\n%s", strings.Join(served, "\n"), strings.Join(declared, "\n"))
	}
}

// TestTheDocumentShowsTheTable keeps docs/metrics.md equal to the code.
func TestTheDocumentShowsTheTable(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "a test -->\n")
	shown, _, ok := strings.Cut(rest, "\n<!-- /metrics -->")
	if !ok {
		t.Fatal("the marks around the metrics are missing")
	}
	if want := strings.TrimSpace(Markdown()); strings.TrimSpace(shown) != want {
		t.Errorf("docs/metrics.md does not show the metrics as they are, which is:\n%s", want)
	}
}
