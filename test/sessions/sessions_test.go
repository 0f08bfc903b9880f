package sessions

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A session is of use as a seed if the fuzzer can start from a client that came
// as far as it wanted to.
func TestSessionsPublishOrPlay(t *testing.T) {
	total := 0
	for i, session := range All(t) {
		total += len(session)
		commands := make(map[string]int)
		r := rtmp.NewReader(bufio.NewReader(bytes.NewReader(session[Shaken:])), rtmp.AcceptedLimits)
		m, err := r.ReadMessage()
		for ; err == nil; m, err = r.ReadMessage() {
			if c, err := rtmp.ParseCommand(m); m.Type == rtmp.TypeCommand && err == nil {
				commands[c.Name]++
			}
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("session %d: %v", i, err)
		}
		if session[0] != rtmp.Version || commands["connect"] != 1 || commands["createStream"] != 1 || commands["publish"]+commands["play"] != 1 {
			t.Errorf("session %d begins with %d and has the commands %v", i, session[0], commands)
		}
	}
	if total > 200<<10 {
		t.Errorf("the sessions have %d bytes", total)
	}
}
