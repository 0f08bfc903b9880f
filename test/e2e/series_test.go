package e2e

import (
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// Whoever may choose names of channels cannot fill the database of metrics: a thousand
// channels have series, and when they end these are gone.
func TestNamesDoNotFillTheMetrics(t *testing.T) {
	t.Parallel()
	const (
		names    = 1200
		shown    = 1000 // see docs/metrics.md
		ofEach   = 7    // metrics of a channel
		visitors = 8
	)
	s := stage.Start(t, "ADMIN_ADDRESS=127.0.0.1:0", "MAX_IP_CONCURRENT_CONNECTIONS=0", "KEY_GUESSES_PER_MINUTE=0",
		"PUBLISH_GRACE_SECONDS=0", "LOG_REQUESTS=NO")
	metrics := stage.Attr(s.AwaitLine("msg=administration"), "url") + "metrics"
	before := len(series(t, metrics))

	var publishers [names]*stage.Client
	var visits sync.WaitGroup
	for visitor := range visitors {
		visits.Go(func() {
			for i := visitor; i < names; i += visitors {
				channel := rand.Text()
				p, err := stage.TryPublish(t, "", s.Addr, channel+"/key")
				if err != nil {
					t.Error(err)
					return
				}
				publishers[i] = p
				if guess, err := stage.TryPlay(t, "", s.Addr, channel+"/guess"); err == nil {
					t.Error("a wrong key was taken")
				} else if guess != nil {
					guess.Reset()
				}
			}
		})
	}
	visits.Wait()
	if t.Failed() {
		return
	}
	crowded := series(t, metrics)
	if more := len(crowded) - before; more < shown || more > shown*ofEach {
		t.Errorf("%d names made %d series, want no more than %d", names, more, shown*ofEach)
	}
	if line := "rtmp_channels_left_out 200"; !strings.Contains(strings.Join(crowded, "\n"), line) {
		t.Errorf("metrics lack %s", line)
	}

	for _, p := range publishers {
		p.Reset()
	}
	for overdue := time.Now().Add(2 * stage.Soon); len(series(t, metrics)) > before; {
		if time.Now().After(overdue) || !stage.Pause(t.Context(), 100*time.Millisecond) {
			t.Fatalf("%d series are left of %d", len(series(t, metrics)), before)
		}
	}
}

// series returns the lines of a scrape but those of the runtime, which come and go.
func series(t *testing.T, metrics string) []string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, metrics, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "rtmp_") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
