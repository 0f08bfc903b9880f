//go:build !linux

package bench

import (
	"errors"
	"fmt"
	"time"
)

func cpuTime(int) (time.Duration, error) {
	return 0, fmt.Errorf("-pid needs Linux: %w", errors.ErrUnsupported)
}

func memory(int) (int64, error) {
	return 0, fmt.Errorf("-pid needs Linux: %w", errors.ErrUnsupported)
}

func raiseFileLimit(int) error { return nil }
