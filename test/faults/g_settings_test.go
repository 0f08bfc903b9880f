package faults

import (
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// Where events go, and what they are signed with, is right, or the server does not
// start. internal/config has more of these values, and the file that they may be in.
func TestCallbackSettingsThatCannotBeUsedAreNotShown(t *testing.T) {
	t.Parallel()
	const marker = "Zq7Marker3Kx"
	b := startBackend(t, (*stage.Backend).Accept)
	// A user and a password in the URL are good, as is a line end after the secret.
	b.URL = strings.Replace(b.URL, "//", "//user:"+stage.CallbackPassword+"@", 1)
	f := begin(t, "G9", b.Settings("JWT_SECRET="+stage.CallbackSecret+"\n")...)
	b.Watch(f.server)
	tests := []struct{ url, secret, named string }{
		{"http://user:" + marker + "@127.0.0.1/", "", "JWT_SECRET"},
		{"http://user:" + marker + "@127.0.0.1/", " \n", "JWT_SECRET"},
		{"http://127.0.0.1/", marker + strings.Repeat("x", 4096), "JWT_SECRET"},
		{"http://127.0.0.1/", marker + "\x01", "JWT_SECRET"},
		{"file:///etc/" + marker, marker, "CALLBACK_URL"},
		{"gopher://user:" + marker + "@127.0.0.1/", marker, "CALLBACK_URL"},
		{"http://", marker, "CALLBACK_URL"},
		{"http:///" + marker, marker, "CALLBACK_URL"},
		{"://" + marker, marker, "CALLBACK_URL"},
		{marker, marker, "CALLBACK_URL"},
		{"http://user:" + marker + "@127.0.0.1:port/", marker, "CALLBACK_URL"},
		{"http://127.0.0.1/#" + marker, marker, "CALLBACK_URL"},
		{"http://user:" + marker + "@[::1/", marker, "CALLBACK_URL"},
		{"http://127.0.0.1/%zz" + marker, marker, "CALLBACK_URL"},
	}
	f.figure("values", len(tests))
	for _, tt := range tests {
		status, stdout, stderr := stage.Run(t, []string{"RTMP_PORT=0", "CALLBACK_URL=" + tt.url, "JWT_SECRET=" + tt.secret})
		if status != 2 || stdout != "" || !strings.Contains(stderr, tt.named) {
			t.Errorf("%q signed with %.20q: status %d, stdout %q, stderr %q", tt.url, tt.secret, status, stdout, stderr)
		}
		if strings.Contains(stderr, marker) {
			t.Errorf("%q is shown: %s", tt.url, stderr)
		}
	}
	short := stage.Start(t, "CALLBACK_URL=http://127.0.0.1/", "JWT_SECRET="+marker[:8])
	if line := short.AwaitLine("level=WARN", "the secret of the callback is short"); strings.Contains(line, marker[:8]) {
		t.Errorf("a short secret is shown: %s", line)
	}
}
