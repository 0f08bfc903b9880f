package e2e

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

func TestServerIntroducesItselfToTheControlServer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		settings []string
		want     map[string]string
	}{
		{"nothing set", nil, nil},
		{"all", []string{"EXTERNAL_IP=203.0.113.5", "EXTERNAL_PORT=19350", "EXTERNAL_SSL=YES"},
			map[string]string{"X-External-Ip": "203.0.113.5", "X-Custom-Port": "19350", "X-Ssl-Use": "true"}},
		{"IPv6", []string{"EXTERNAL_IP=2001:db8::5", "EXTERNAL_SSL=NO"}, map[string]string{"X-External-Ip": "2001:db8::5"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := startCoordinator(t)
			startControlled(t, c, tt.settings...)
			all, ok := c.headers.Await(stage.Soon, func(http.Header) bool { return true })
			if !ok {
				t.Fatal("nobody connected")
			}
			if err := checkToken(all[0].Get("x-control-auth-token"), time.Now()); err != nil {
				t.Error(err)
			}
			got := make(map[string]string)
			for _, name := range []string{"X-External-Ip", "X-Custom-Port", "X-Ssl-Use"} {
				if _, ok := all[0][name]; ok {
					got[name] = all[0].Get(name)
				}
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("headers %v, want %v", got, tt.want)
			}
		})
	}
}

func TestControlServerDecidesWhoPublishes(t *testing.T) {
	t.Parallel()
	c := startCoordinator(t)
	s := startControlled(t, c)

	c.accept(1, "channel", "stream-1")
	publisher := stage.Publish(t, s, "channel/k3y-Marker")
	request := c.await(1, "PUBLISH-REQUEST", "channel").fields
	if request["Stream-Key"] != "k3y-Marker" || request["User-IP"] != "127.0.0.1" || request["Request-ID"] == "" {
		t.Errorf("the request says %v", request)
	}
	s.AwaitLine("msg=publish", "stream_id=stream-1")
	publisher.Reset()
	if end := c.await(1, "PUBLISH-END", "channel"); end.fields["Stream-ID"] != "stream-1" {
		t.Errorf("the end says %v", end.fields)
	}

	refusals := map[string]func(request string){
		"denied":   func(request string) { c.send("PUBLISH-DENY", "Request-ID: "+request) },
		"noID":     func(request string) { c.send("PUBLISH-ACCEPT", "Request-ID: "+request) },
		"badID":    func(request string) { c.send("PUBLISH-ACCEPT", "Request-ID: "+request, "Stream-ID: ../x") },
		"spelling": func(request string) { c.send("publish-deny", "request-id: "+request) },
	}
	for channel, how := range refusals {
		t.Run(channel, func(t *testing.T) {
			c.answer(1, channel, how)
			refused, err := stage.TryPublish(t, "", s.Addr, channel+"/k3y-Marker")
			stage.CheckRefused(t, refused, err, rtmp.CodePublishDenied)
		})
	}
	s.Stop()
	for _, line := range s.Log.All() {
		if strings.Contains(line, "Marker") {
			t.Errorf("it shows a secret: %s", line)
		}
	}
	for _, f := range c.frames.All() {
		if f.method == "PUBLISH-END" && f.fields["Stream-ID"] != "stream-1" {
			t.Errorf("the end of what never began: %v", f)
		}
	}
}

func TestControlServerKillsStreams(t *testing.T) {
	t.Parallel()
	c := startCoordinator(t)
	s := startControlled(t, c)
	for _, channel := range []string{"first", "second", "third"} {
		c.accept(1, channel, "id-of-"+channel)
	}
	first, second, third := stage.StartPlainNumbered(t, s, "first"), stage.StartPlainNumbered(t, s, "second"), stage.StartPlainNumbered(t, s, "third")

	c.send("STREAM-KILL", "Stream-Channel: third", "Stream-ID: id-of-first") // stale
	c.send("STREAM-KILL", "Stream-Channel: third")
	c.send("STREAM-KILL", "Stream-ID: *")
	c.send("STREAM-KILL", "Stream-Channel: first", "Stream-ID: id-of-first")
	if !first.Answers.AwaitEnd(commandLimit) {
		t.Error("the publisher is still connected")
	}
	stage.AwaitEvent(t, first.Viewer, 1, rtmp.CodePlayUnpublishNotify) // and stays
	c.send("STREAM-KILL", "Stream-Channel: second", "Stream-ID: *")
	if err := second.Killed(commandLimit); err != nil {
		t.Error(err)
	}
	for _, channel := range []string{"first", "second"} {
		if end := c.await(1, "PUBLISH-END", channel); end.fields["Stream-ID"] != "id-of-"+channel {
			t.Errorf("the end says %v", end.fields)
		}
	}
	third.Flows()
	third.CheckUnharmed()
}

// The control server goes while someone publishes, and comes back.
func TestPublisherDoesNotNoticeThatTheControlServerIsAway(t *testing.T) {
	t.Parallel()
	c := startCoordinator(t)
	s := startControlled(t, c)
	c.accept(1, "channel", "stream-1")
	c.accept(1, "short", "stream-2")
	n := stage.StartPlainNumbered(t, s, "channel")
	short := stage.Publish(t, s, "short/key")

	c.leave()
	s.AwaitLine(`msg="coordinator away`)
	start := time.Now()
	refused, err := stage.TryPublish(t, "", s.Addr, "other/key")
	stage.CheckRefused(t, refused, err, rtmp.CodePublishDenied)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the refusal took %v", took)
	}
	short.Reset() // its end is told later
	s.AwaitLine("msg=end", "channel=short")
	n.Flows()

	c.comeBack()
	s.AwaitLines(2, 2*stage.Soon, controlBack)
	if end := c.await(1, "PUBLISH-END", "short"); end.fields["Stream-ID"] != "stream-2" || end.on < 2 {
		t.Errorf("the end says %v", end)
	}
	c.accept(1, "again", "stream-3")
	stage.Publish(t, s, "again/key")
	n.Flows()
	n.CheckUnharmed()
	if end := c.await(1, "PUBLISH-END", "channel"); end.fields["Stream-ID"] != "stream-1" {
		t.Errorf("the end says %v", end)
	}
	s.Stop() // which ends what is still published
	if end := c.await(1, "PUBLISH-END", "again"); end.fields["Stream-ID"] != "stream-3" {
		t.Errorf("the end says %v", end)
	}
}

// Without a control server from the start, nobody publishes, and players wait.
func TestNobodyPublishesWithoutTheControlServer(t *testing.T) {
	t.Parallel()
	c := startCoordinator(t)
	c.leave()
	s := stage.Start(t, c.settings()...)
	s.AwaitLine(`msg="coordinator away`)
	refused, err := stage.TryPublish(t, "", s.Addr, "channel/key")
	stage.CheckRefused(t, refused, err, rtmp.CodePublishDenied)
	if _, err := stage.TryPlay(t, "", s.Addr, "channel/key"); err != nil {
		t.Error(err)
	}
}
