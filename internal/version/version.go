// Package version knows which version of the server this program is, for all who
// tell it: the command line, the log, the administration and the metrics.
package version

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// Of a release, as the linker is told: see release/build.go.
var release, revision string

// Short is the version alone: that of the release or, of any other build, what the Go
// toolchain recorded, a tag or how far it is from one. It is never empty.
func Short() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	return ofModule(info, ok)
}

// Full is Short, with the commit if it is known, and with the version of Go.
func Full() string {
	info, ok := debug.ReadBuildInfo()
	parts := []string{Short()}
	if commit := revisionOf(info, ok); commit != "" {
		parts = append(parts, "revision "+commit)
	}
	return strings.Join(append(parts, runtime.Version()), " ")
}

// ofModule is the version that the toolchain gave the main module. It has none in
// tests, in builds without git, and in those by Go before 1.24.
func ofModule(info *debug.BuildInfo, ok bool) string {
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "development build"
	}
	return info.Main.Version
}

func revisionOf(info *debug.BuildInfo, ok bool) string {
	if release != "" || !ok {
		return revision
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
