package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestSettingThatCannotBeHonouredStopsTheStart(t *testing.T) {
	tests := []struct {
		name, value string
		want        error // nil: without effect
	}{
		{"CALLBACK_URL", "https://hunter2@example.com/", ErrUnsupported},
		{"CALLBACK_URL", "NO", ErrUnsupported},
		{"CALLBACK_URL", " \t", nil},
		{"JWT_SECRET", "hunter2", nil},
		{"CUSTOM_JWT_SUBJECT", "x", nil},
		{"REDIS_USE", "YES", ErrUnsupported},
		{"REDIS_USE", "true", ErrUnsupported},
		{"REDIS_USE", "NO", nil},
		{"REDIS_USE", "0", nil},
		{"REDIS_USE", "", nil},
		{"REDIS_USE", "yess", ErrValue},
		{"REDIS_HOST", "127.0.0.1", nil},
		{"REDIS_PORT", "6379", nil},
		{"REDIS_PASSWORD", "hunter2", nil},
		{"REDIS_CHANNEL", "rtmp_commands", nil},
		{"REDIS_TLS", "YES", nil},
		{"SSL_PORT", "443", nil},
		{"SSL_CERT", "/hunter2.pem", ErrUnsupported},
		{"SSL_KEY", "/hunter2.pem", ErrUnsupported},
		{"SSL_CHECK_RELOAD_SECONDS", "60", nil},
	}
	tested := make(map[string]bool)
	for _, test := range tests {
		tested[test.name] = true
		settings, err := Load(one(test.name, test.value))
		if test.want == nil {
			if err != nil || !reflect.DeepEqual(settings, defaults(t)) {
				t.Errorf("%s=%q: %+v, %v, want no effect", test.name, test.value, settings, err)
			}
			continue
		}
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.name) || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%s=%q: error %v, want %v with name and expectation", test.name, test.value, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the value: %v", test.name, err)
		}
	}
	for _, u := range unsupported {
		if !tested[u.name] {
			t.Errorf("%s is not tested", u.name)
		}
		for _, r := range table {
			if r.name == u.name {
				t.Errorf("%s is both supported and not", u.name)
			}
		}
	}
}
