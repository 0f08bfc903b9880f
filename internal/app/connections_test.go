package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestTheLimitOfOpenFilesBoundsTheConnections(t *testing.T) {
	for _, test := range []struct {
		name                        string
		setting, files, admin, want int
		log                         string
	}{
		{"as many as there can be", 0, 1024, 0, 896, `level=INFO msg="room for connections" connections=896 open_files=1024`},
		{"fewer", 100, 1024, 0, 100, `level=INFO msg="room for connections" connections=100 open_files=1024`},
		{"just as many", 896, 1024, 0, 896, `level=INFO msg="room for connections" connections=896 open_files=1024`},
		{"more", 897, 1024, 0, 896, `level=WARN msg="the limit of open files allows fewer connections than MAX_CONNECTIONS" connections=896`},
		{"an administration", 0, 1024, 256, 640, "connections=640 open_files=1024"},
		{"hardly any files", 0, 64, 0, 32, "connections=32"},
		{"an unknown number of files", 0, 0, 0, 0, ""},
		{"a setting alone", 100, 0, 0, 100, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			if n := connections(test.setting, test.files, test.admin, slog.New(slog.NewTextHandler(&log, nil))); n != test.want {
				t.Errorf("%d connections, want %d", n, test.want)
			}
			if !strings.Contains(log.String(), test.log) {
				t.Errorf("the log has %q, want %q", log.String(), test.log)
			}
		})
	}
}
