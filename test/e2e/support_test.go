package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// interoperation is the row of real programs.
const interoperation = 214

// docs/protocol-support.md names every test that shows how real programs get
// along with the server, and no other.
func TestDocumentedPrograms(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	claims, err := conformance.Claims(root)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, c := range claims {
		if c.Row == interoperation {
			want = append(want, c.Test)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "protocol-support.md"))
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile("`Test\\w+`").FindAllString(string(text), -1)
	for i := range got {
		got[i] = strings.Trim(got[i], "`")
	}
	slices.Sort(got)
	slices.Sort(want)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("documented are %q\ntests are %q", got, want)
	}
	logVersions(t)
}

// logVersions shows which programs the tests run with.
func logVersions(t *testing.T) {
	t.Helper()
	for _, command := range [][]string{
		{"node", filepath.Join("..", "ffmpeg8", "ffmpeg8.mjs"), "version"},
		{"ffmpeg", "-version"},
		{"gst-launch-1.0", "--version"},
		{"dpkg-query", "-W", "-f", "${Package} ${Version}\n", "rtmpdump", "nginx", "libnginx-mod-rtmp", "vlc-bin"},
	} {
		out, err := exec.Command(command[0], command[1:]...).Output()
		if err != nil {
			t.Errorf("%s: %v", strings.Join(command, " "), err)
		}
		shown := strings.SplitN(string(out), "\nbuilt ", 2)[0]
		t.Logf("%s: %s", command[0], strings.TrimSpace(shown))
	}
}
