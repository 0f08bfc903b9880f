package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// source is what is built.
type source struct {
	dir      string // root of the module
	version  string // a tag, or how far it is from one
	revision string // the commit, empty if it is not known
	time     time.Time
}

// plainVersion keeps a version fit for file names and for the arguments of the linker.
var plainVersion = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]*$`)

// describe asks git, unless VERSION, REVISION and SOURCE_DATE_EPOCH (seconds since
// 1970) say it, as they have to where there is no git.
func describe(dir string, env func(string) string) (source, error) {
	var failed error
	ask := func(variable string, args ...string) string {
		if v := env(variable); v != "" || failed != nil {
			return v
		}
		cmd := exec.Command("git", args...) // #nosec G204 -- the commands below
		cmd.Dir = dir
		text, err := cmd.Output()
		if err != nil {
			failed = fmt.Errorf("%s is not set, and git %s: %w", variable, args[0], err)
		}
		return strings.TrimSpace(string(text))
	}
	// Without a bound of its own, git abbreviates by the number of objects it has.
	version := ask("VERSION", "describe", "--tags", "--always", "--dirty", "--abbrev=12")
	revision := ask("REVISION", "rev-parse", "HEAD")
	epoch := ask("SOURCE_DATE_EPOCH", "log", "-1", "--format=%ct")
	if failed != nil {
		return source{}, failed
	}
	for _, v := range []string{version, revision} {
		if !plainVersion.MatchString(v) {
			return source{}, fmt.Errorf("%q cannot be a version", v)
		}
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return source{}, fmt.Errorf("read SOURCE_DATE_EPOCH: %w", err)
	}
	return source{dir, version, revision, time.Unix(seconds, 0).UTC()}, nil
}
