//go:build !linux

package app

// CoarseTimers does nothing: only Linux has timer slack.
func CoarseTimers() {}
