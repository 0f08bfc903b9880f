package logs

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pass lets time pass in a bubble of synctest.
func pass(d time.Duration) { <-time.After(d) }

func now() time.Time { return time.Now() }
