package soak

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// What a backend does with the start and the stop of channels that come and go, in
// 1000 requests each. It is always kind to those who stay.
const (
	backendFails  = 30 // status 500
	backendHangs  = 5  // until the server gives up
	backendResets = 20 // the connection, after it has done its part
)

// backend is the operator's server of the callback, with moods. It gives ids by
// number, so that it can pair any number of starts and stops.
type backend struct {
	server *httptest.Server

	mu     sync.Mutex
	random *rand.Rand
	starts []accepted // by id
	moods  map[string]int
	errs   []error
}

// accepted is a start that got an id, and how many stops there were of it.
type accepted struct {
	request
	id      string
	at      time.Time
	pressed bool // the machine
	stops   int
}

func startBackend(s *soak) *backend {
	b := &backend{random: s.randomness(^uint64(0)), moods: make(map[string]int)}
	b.server = httptest.NewUnstartedServer(b)
	b.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	b.server.Start()
	s.Cleanup(b.server.Close)
	return b
}

func (b *backend) url() string { return b.server.URL + "/events" }

// request is what the server says of a stream.
type request struct {
	Event    string `json:"event"`
	Channel  string `json:"channel"`
	StreamID string `json:"stream_id"`
	ClientIP string `json:"client_ip"`
}

// readRequest reads a token without a look at its signature, which test/e2e checks.
func readRequest(r *http.Request) (e request, err error) {
	parts := strings.Split(r.Header.Get("rtmp-event"), ".")
	if len(parts) != 3 {
		return e, errors.New("no token")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(text, &e)
}

// ServeHTTP takes an event as the mood of the moment has it.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := readRequest(r)
	if err != nil {
		b.wrong(fmt.Errorf("a request that cannot be read: %w", err))
		return
	}
	mood := b.mood(e)
	switch {
	case mood == "fails":
		w.WriteHeader(http.StatusInternalServerError)
		return
	case mood == "hangs":
		<-r.Context().Done()
		return
	case e.Event == "stop":
		b.stopped(e.StreamID)
	case r.Context().Err() != nil: // the server has given up
	case mood == "resets": // before it has accepted: nobody would learn the id
	default:
		w.Header().Set("stream-id", b.started(e))
	}
	if mood == "resets" {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusOK)
}

func (b *backend) mood(e request) (mood string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	mood = "takes"
	if !strings.HasPrefix(e.Channel, "standing") && e.Channel != stage.CanaryChannel {
		switch n := b.random.IntN(1000); {
		case n < backendHangs:
			mood = "hangs"
		case n < backendHangs+backendFails:
			mood = "fails"
		case n < backendHangs+backendFails+backendResets:
			mood = "resets"
		}
	}
	b.moods[mood+" "+e.Event]++
	return mood
}

func (b *backend) started(e request) (id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id = "id-" + strconv.Itoa(len(b.starts))
	b.starts = append(b.starts, accepted{request: e, id: id, at: time.Now(), pressed: machineIsPressed()})
	return id
}

func (b *backend) stopped(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := strconv.Atoi(strings.TrimPrefix(id, "id-"))
	if err != nil || n < 0 || n >= len(b.starts) {
		b.errs = append(b.errs, fmt.Errorf("a stop of %q, which has not started", id))
		return
	}
	start := &b.starts[n]
	start.stops++
	start.request, start.id = request{}, "" // a night has a million of them
}

func (b *backend) wrong(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errs = append(b.errs, err)
}

// pairs returns how many starts there were, which of these have no stop, how many
// stops there were more than that, and what was wrong with requests.
func (b *backend) pairs() (starts int, open []accepted, repeated int, errs []error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.starts {
		if a.stops == 0 {
			open = append(open, a)
			continue
		}
		repeated += a.stops - 1
	}
	return len(b.starts), open, repeated, b.errs
}
