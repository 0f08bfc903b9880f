package faults

import (
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	events := []stage.Event{{Token: "eyJhbGci.eyJzdWIi.c2lnbmF0dXJl"}}
	for line, want := range map[string]bool{
		"msg=publish key=qk*** stream_id=S-AAAA":          false,
		"msg=publish key=*** JWT_SECRET=***":              false,
		"error=\"secret " + stage.CallbackSecret + "\"":   true,
		"msg=publish key=" + stage.CallbackKey:            true,
		"msg=publish key=" + stage.CallbackKey[:4] + "**": true,
		"msg=publish key=other":                           true,
		"url=http://user:" + stage.CallbackPassword + "@": true,
		"token=eyJhbGci.eyJzdWIi.c2lnbmF0dXJl":            true,
		"Rtmp-Event: [c2lnbmF0dXJl]":                      true,
		"tokenXeyJzdWIi":                                  true,
	} {
		if found := stage.Leaks([]string{"msg=listening", line}, events); (len(found) > 0) != want {
			t.Errorf("%s: found %q", line, found)
		}
	}
}
