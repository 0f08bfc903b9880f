//go:build (!unix && !windows) || solaris || aix

package hook

import (
	"errors"
	"os"
)

// lockFile fails: without a lock the state directory cannot be used.
func lockFile(*os.File) error { return errors.ErrUnsupported }
