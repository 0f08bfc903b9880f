//go:build !faultinject

package faultinject

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNothingFailsWithoutTheTag(t *testing.T) {
	t.Setenv("FAULTINJECT", string(Read))
	At(Read, "live")
}
