package soak

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

const (
	// resident is where those come from who stay: the canary and the standing
	// channels. The limits of an address do not hold for it.
	resident = "127.9.9.9"
	// crowdLimit is how many visitors there may be at a time. Beyond it the next one
	// waits: this machine is too slow for the rate.
	crowdLimit = 800
	// leaveLimit is the longest that a visitor stays.
	leaveLimit = time.Minute
	// logLimit is the longest soak whose log is kept whole, in memory.
	logLimit = time.Hour
)

// soak is one run: a server, those who stay, and what is known of those who came.
type soak struct {
	*testing.T
	row     string
	server  *stage.Server
	redis   *stage.Redis
	backend *backend
	issuer  *stage.Issuer
	pair    *stage.Pair // the server's certificate and key
	secure  string      // address of RTMPS
	admin   string      // URL of the administration
	seed    uint64
	random  *rand.Rand // of the test's own goroutine
	began   time.Time
	book    book
	took    time.Duration // that visitors came
	empty   vitals
}

func TestSoak(t *testing.T) {
	s := start(t, "I8")
	s.empty = s.vitals()
	standing := startStanding(s)
	canary := startCanary(s)
	samples := startSamples(s)
	s.began = time.Now()
	s.visits(samples)
	for _, err := range canary.Finish(2 * stage.Soon) {
		s.Error(err)
	}
	standing.finish()
	s.settle()
	books := s.audit()
	s.report(samples, canary, books)
	s.server.StopAllowing(certificateComplaint)
	s.checkStops()
}

// start starts the server, for a row of the matrix in test/faults.
func start(t *testing.T, row string) *soak {
	t.Helper()
	s := &soak{T: t, row: row, seed: *seed, issuer: stage.NewIssuer(t)}
	if s.seed == 0 {
		s.seed = rand.Uint64()
	}
	t.Logf("-seed %d -duration %v -rate %v", s.seed, *lasting, *rate)
	s.random = s.randomness(0)
	s.pair = s.issuer.Issue(t, t.TempDir())
	s.redis = stage.StartRedis(t)
	s.backend = startBackend(s)
	logging := "LOG_REQUESTS=YES"
	if *lasting > logLimit {
		logging = "LOG_REQUESTS=NO"
	}
	s.server = stage.Start(t, slices.Concat(s.pair.Settings(), s.redis.Settings(), []string{
		"MAX_IP_CONCURRENT_CONNECTIONS=4", "CONCURRENT_LIMIT_WHITELIST=" + resident, "ADMIN_ADDRESS=127.0.0.1:0",
		"PUBLISH_GRACE_SECONDS=3", "DRAIN_SECONDS=0", "SSL_CHECK_RELOAD_SECONDS=1", "PLAY_WAIT_SECONDS=20",
		"CALLBACK_URL=" + s.backend.url(), "JWT_SECRET=" + stage.CallbackSecret, "STATE_DIR=" + t.TempDir(), logging,
	})...)
	s.secure = s.server.SecureAddr()
	s.admin = stage.Attr(s.server.AwaitLine("msg=administration"), "url")
	s.server.AwaitLine(stage.RedisBack)
	return s
}

// randomness is that of the nth visitor, from 1.
func (s *soak) randomness(n uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, n)) }

// visits has visitors come for as long as the soak lasts, beside the weather, and
// waits for the last of them to leave. There are samples until no more come.
func (s *soak) visits(a *samples) {
	ctx, cancel := context.WithTimeout(s.Context(), *lasting)
	defer cancel()
	places := make(chan struct{}, crowdLimit)
	var coming, staying sync.WaitGroup
	coming.Go(func() {
		random := s.randomness(1)
		for n := uint64(2); ; n++ {
			due := s.began.Add(time.Duration(float64(n-2) / *rate * float64(time.Second)))
			if !stage.Pause(ctx, time.Until(due)) {
				return
			}
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			kind := pick(random)
			staying.Go(func() {
				defer func() { <-places }()
				s.visit(n, kind)
			})
		}
	})
	s.weather(ctx)
	coming.Wait()
	s.took = time.Since(s.began)
	a.finish()
	staying.Wait()
}
