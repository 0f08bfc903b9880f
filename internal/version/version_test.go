package version

import (
	"runtime"
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAReleaseIsWhatTheLinkerSays(t *testing.T) {
	release, revision = "v1.2.3", "0123abcd"
	defer func() { release, revision = "", "" }()
	if got := Short(); got != "v1.2.3" {
		t.Errorf("the version is %q", got)
	}
	if got, want := Full(), "v1.2.3 revision 0123abcd "+runtime.Version(); got != want {
		t.Errorf("it is %q in full, want %q", got, want)
	}
}

func TestAnyOtherBuildIsWhatTheToolchainRecorded(t *testing.T) {
	tests := []struct {
		name, version, short, revision string
		settings                       []debug.BuildSetting
		ok                             bool
	}{
		{"of a tag", "v1.2.3", "v1.2.3", "abcd", []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "vcs.revision", Value: "abcd"}}, true},
		{"without git", "(devel)", "development build", "", nil, true},
		{"of a test", "", "development build", "", nil, true},
		{"without modules", "v1.2.3", "development build", "", nil, false},
	}
	for _, test := range tests {
		info := &debug.BuildInfo{Main: debug.Module{Version: test.version}, Settings: test.settings}
		if got := ofModule(info, test.ok); got != test.short {
			t.Errorf("%s: %q, want %q", test.name, got, test.short)
		}
		if got := revisionOf(info, test.ok); got != test.revision {
			t.Errorf("%s: revision %q, want %q", test.name, got, test.revision)
		}
	}
	if got, want := Full(), "development build "+runtime.Version(); got != want {
		t.Errorf("a test is %q, want %q", got, want)
	}
}
