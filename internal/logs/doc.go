// Package logs is how the log leaves the process: as lines of text or JSON, by way
// of a [Queue] that never makes whoever logs wait. What becomes of a stream must not
// depend on who reads the log.
//
// [Panics] is how the log tells of panics that were caught.
package logs
