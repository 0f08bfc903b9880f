package config

import (
	"errors"
	"strings"
	"testing"
)

func TestSettingsThatCannotStandAlone(t *testing.T) {
	tests := []struct {
		values map[string]string
		want   string // in the error; empty: none
	}{
		{map[string]string{"CALLBACK_URL": "https://example.com"}, "JWT_SECRET"},
		{map[string]string{"CALLBACK_URL": "https://example.com", "JWT_SECRET": "s"}, ""},
		{map[string]string{"JWT_SECRET": "s"}, ""},
		{map[string]string{"SSL_CERT": "cert"}, "SSL_KEY"},
		{map[string]string{"SSL_KEY": "key"}, "SSL_CERT"},
		{map[string]string{"SSL_CERT": "cert", "SSL_KEY": "key"}, ""},
		{map[string]string{"SSL_CERT": "cert", "SSL_KEY": "key", "SSL_PORT": "1935"}, "RTMP_PORT"},
		{map[string]string{"SSL_CERT": "cert", "SSL_KEY": "key", "SSL_PORT": "0", "RTMP_PORT": "0"}, ""},
		{map[string]string{"SSL_PORT": "1935"}, ""},
		{map[string]string{"HTTPS_PORT": "8443"}, "SSL_CERT"},
		{map[string]string{"HTTPS_PORT": "8443", "SSL_CERT": "cert", "SSL_KEY": "key"}, ""},
		{map[string]string{"HTTPS_PORT": "443", "SSL_CERT": "cert", "SSL_KEY": "key"}, "HTTPS_PORT"},
		{map[string]string{"HTTP_PORT": "8443", "HTTPS_PORT": "8443", "SSL_CERT": "cert", "SSL_KEY": "key"}, "HTTPS_PORT"},
		{map[string]string{"HTTP_PORT": "1935"}, "HTTP_PORT"},
		{map[string]string{"HTTP_PORT": "443"}, ""},
		{map[string]string{"CONTROL_USE": "YES", "CONTROL_SECRET": "s"}, "CONTROL_BASE_URL"},
		{map[string]string{"CONTROL_USE": "YES", "CONTROL_BASE_URL": "ws://h"}, "CONTROL_SECRET"},
		{map[string]string{"CONTROL_USE": "YES", "CONTROL_BASE_URL": "ws://h", "CONTROL_SECRET": "s", "CALLBACK_URL": "http://h"}, ""},
		{map[string]string{"ADMIN_ADDRESS": "0.0.0.0:8080"}, "ADMIN_TOKEN"},
		{map[string]string{"ADMIN_ADDRESS": ":8080"}, "ADMIN_TOKEN"},
		{map[string]string{"ADMIN_ADDRESS": "localhost.example.com:8080"}, "ADMIN_TOKEN"},
		{map[string]string{"ADMIN_ADDRESS": "0.0.0.0:8080", "ADMIN_TOKEN": adminToken}, ""},
		{map[string]string{"ADMIN_ADDRESS": "localhost:8080"}, ""},
		{map[string]string{"ADMIN_ADDRESS": "127.9.9.9:8080"}, ""},
		{map[string]string{"ADMIN_ADDRESS": "[::ffff:127.0.0.1]:8080"}, ""},
		{map[string]string{"ADMIN_ADDRESS": "NO"}, ""},
	}
	for _, test := range tests {
		_, err := Load(environment(test.values))
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%v: %v", test.values, err)
		case test.want != "" && (!errors.Is(err, ErrValue) || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%v: error %v, want one that names %s", test.values, err, test.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	long := strings.Repeat("s", goodSecret)
	tests := []struct {
		values map[string]string
		want   []string
	}{
		{nil, nil},
		{map[string]string{"CALLBACK_URL": "http://h", "JWT_SECRET": long, "STATE_DIR": "/s"}, nil},
		{map[string]string{"CALLBACK_URL": "http://h", "JWT_SECRET": "s"}, nil}, // the callback itself warns
		{map[string]string{"STATE_DIR": "/s"}, []string{"STATE_DIR"}},
		{map[string]string{"ADMIN_ADDRESS": "NO", "ADMIN_TOKEN": adminToken}, []string{"ADMIN_TOKEN"}},
		{map[string]string{"ADMIN_ADDRESS": ":80", "ADMIN_TOKEN": adminToken}, []string{"ADMIN_ADDRESS"}},
		{map[string]string{"CONTROL_USE": "1", "CONTROL_BASE_URL": "ws://h", "CONTROL_SECRET": long}, nil},
		{
			map[string]string{"CONTROL_USE": "1", "CONTROL_BASE_URL": "ws://h", "CONTROL_SECRET": "s", "CALLBACK_URL": "http://h"},
			[]string{"CONTROL_SECRET", "CONTROL_USE"},
		},
	}
	for _, test := range tests {
		settings, err := Load(environment(test.values))
		if err != nil {
			t.Fatal(err)
		}
		got := settings.Warnings()
		if len(got) != len(test.want) {
			t.Errorf("%v: warnings %q, want them about %q", test.values, got, test.want)
			continue
		}
		for i, name := range test.want {
			if !strings.HasPrefix(got[i], name) {
				t.Errorf("%v: warning %q, want one about %s", test.values, got[i], name)
			}
		}
	}
}
