package e2e

import (
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// A server with secrets everywhere, and nobody at the other ends who would take
// them, keeps them to itself, however much it says.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	gone, _ := stage.FreeAddr(t, "127.0.0.1")
	long := marker + strings.Repeat("x", 32)
	r := stage.StartRedis(t, "--requirepass", "another")
	common := r.Settings("REDIS_PASSWORD="+marker, "LOG_DEBUG=YES", "JWT_SECRET="+long, "CONTROL_SECRET="+long)
	tests := map[string][]string{
		"callback":                          {"CALLBACK_URL=http://user:" + marker + "@" + gone + "/?token=" + marker},
		"callback of a host without a name": {"CALLBACK_URL=https://user:" + marker + "@host.invalid/?token=" + marker},
		"control":                           {"CONTROL_USE=YES", "CONTROL_BASE_URL=ws://" + gone},
		"both":                              {"CONTROL_USE=YES", "CONTROL_BASE_URL=https://" + gone, "CALLBACK_URL=http://user:" + marker + "@" + gone},
		"Redis by TLS":                      {"REDIS_TLS=YES", "CALLBACK_URL=http://" + gone},
		"state directory":                   {"CALLBACK_URL=http://user:" + marker + "@" + gone, "STATE_DIR=" + t.TempDir()},
	}
	for name, settings := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stage.Start(t, append(settings, common...)...)
			for _, path := range []string{"channel/" + marker, "channel/" + marker + "?token=" + marker} {
				refused, err := stage.TryPublish(t, "", s.Addr, path)
				stage.CheckRefused(t, refused, err, rtmp.CodePublishDenied)
				if _, err := stage.TryPlay(t, "", s.Addr, path); err != nil {
					t.Error(err)
				}
			}
			s.AwaitLine(stage.RedisLost)
			s.Stop()
			checkNoMarker(t, strings.Join(s.Log.All(), "\n"))
		})
	}
}

// A control server's URL with a password in it cannot be used, and is not shown.
func TestControlURLWithAPasswordIsRefusedUnseen(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := stage.Run(t, []string{
		"RTMP_PORT=0", "CONTROL_USE=YES", "CONTROL_SECRET=" + marker, "CONTROL_BASE_URL=ws://user:" + marker + "@127.0.0.1",
	})
	if status == 0 {
		t.Error("it was used")
	}
	checkNoMarker(t, stdout, stderr)
}
