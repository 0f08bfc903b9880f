package config

import (
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

// environment looks variables up in a map.
func environment(values map[string]string) Lookup {
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

// one looks up a single variable.
func one(name, value string) Lookup { return environment(map[string]string{name: value}) }

func mustList(t testing.TB, text string) access.List {
	t.Helper()
	list, err := access.ParseList(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func defaults(t testing.TB) Settings {
	return Settings{
		RTMPPort:            1935,
		ChunkSize:           60000,
		PlayWhitelist:       mustList(t, "*"),
		IDMaxLength:         128,
		Takeover:            TakeoverIdle,
		PlayEnhanced:        PlayPermissive,
		PlayHEVC:            HEVCAuto,
		PublishGrace:        10 * time.Second,
		Drain:               5 * time.Second,
		CacheBytes:          256 << 20,
		MaxWriteDelay:       100 * time.Millisecond,
		MaxConnectionsPerIP: 4,
		IPv6Prefix:          64,
		KeyGuesses:          10,
		Callback:            Callback{Subject: "rtmp_event"},
		Redis:               Redis{Host: "127.0.0.1", Port: 6379, Channel: "rtmp_commands"},
		TLS:                 TLS{Port: 443, ReloadCheckEach: time.Minute},
		Admin:               Admin{Address: "127.0.0.1:8080"},
		HTTP:                HTTP{Origin: "*"},
		LogRequests:         true,
		LogFormat:           LogText,
		Watchdog:            30 * time.Second,
	}
}

// adminToken is one that may be used.
var adminToken = strings.Repeat("Hunter2.", 4)

// needed are other settings without which one cannot stand.
var needed = map[string]map[string]string{
	"CALLBACK_URL":  {"JWT_SECRET": "s"},
	"SSL_CERT":      {"SSL_KEY": "/key.pem"},
	"SSL_KEY":       {"SSL_CERT": "/cert.pem"},
	"CONTROL_USE":   {"CONTROL_BASE_URL": "https://example.com", "CONTROL_SECRET": "s"},
	"ADMIN_ADDRESS": {"ADMIN_TOKEN": adminToken},
	"HTTPS_PORT":    {"SSL_CERT": "/cert.pem", "SSL_KEY": "/key.pem"},
}

// with returns a setting and those it needs.
func with(name, value string) map[string]string {
	values := maps.Clone(needed[name])
	if values == nil {
		values = make(map[string]string)
	}
	values[name] = value
	return values
}

// good gives, for each setting, texts that can be used and what Effective shows for them.
var good = map[string][][2]string{
	"BIND_ADDRESS": {
		{"127.0.0.1", "127.0.0.1"}, {"0.0.0.0", "0.0.0.0"}, {"::", "::"}, {"::1", "::1"}, {"[::1]", "::1"}, {"fe80::1%eth0", "fe80::1%eth0"},
		{"[fe80::1%eth0]", "fe80::1%eth0"}, {"localhost", "localhost"}, {"media.example.com.", "media.example.com."}, {"my_app", "my_app"},
		{"4f2b1c", "4f2b1c"}, {" 10.0.0.1\n", "10.0.0.1"}, {strings.Repeat("a", 63) + ".b", strings.Repeat("a", 63) + ".b"},
	},
	"RTMP_PORT":  {{"0", "0"}, {"1", "1"}, {"65535", "65535"}, {" 1936\t", "1936"}, {"+80", "80"}, {"0080", "80"}},
	"RTMP_HOST":  {{"live.example.com", "live.example.com"}, {" a\r\n", "a"}, {"höst:1935", "höst:1935"}, {strings.Repeat("é", 255), strings.Repeat("é", 255)}},
	"HTTP_PORT":  {{"8080", "8080"}, {"1", "1"}, {"65535", "65535"}, {" no ", "NO"}, {"0", "NO"}, {"OFF", "NO"}},
	"HTTPS_PORT": {{"8443", "8443"}, {"65535", "65535"}, {"NO", "NO"}, {"false", "NO"}},
	"HTTP_CORS_ORIGIN": {
		{"*", "*"}, {"https://example.com", "https://example.com"}, {"http://h:8080", "http://h:8080"}, {"no", "NO"}, {"0", "NO"},
	},
	"RTMP_CHUNK_SIZE": {{"128", "128"}, {"65536", "65536"}, {" 4096 ", "4096"}},
	"RTMP_PLAY_WHITELIST": {
		{"127.0.0.1,10.0.0.0/8", "10.0.0.0/8,127.0.0.1"}, {" ::1 , ::ffff:10.1.2.3/104 ,", "10.0.0.0/8,::1"}, {"*", "*"},
	},
	"ID_MAX_LENGTH":                 {{"1", "1"}, {"1024", "1024"}, {" 64 ", "64"}},
	"MAX_CONNECTIONS":               {{"0", "0"}, {"1000000", "1000000"}, {" 500 ", "500"}},
	"MAX_IP_CONCURRENT_CONNECTIONS": {{"0", "0"}, {"1000000", "1000000"}, {" 2 ", "2"}},
	"CONCURRENT_LIMIT_WHITELIST":    {{"127.0.0.1", "127.0.0.1"}, {"*", "*"}, {" fd00::/8 ", "fd00::/8"}},
	"GOP_CACHE_TOTAL_MB":            {{"0", "0"}, {"16777216", "16777216"}, {" 64 ", "64"}},
	"MEMORY_LIMIT_MB":               {{"0", "0"}, {"16777216", "16777216"}, {" 512 ", "512"}},
	"GOP_CACHE_SIZE_MB":             {{"0", "0"}, {"1048576", "1048576"}, {" 16 ", "16"}},
	"PLAY_ENHANCED":                 {{"strict", "strict"}, {" Permissive ", "permissive"}},
	"PLAY_HEVC":                     {{"fourcc", "fourcc"}, {"LEGACY", "legacy"}, {"published", "published"}, {"auto", "auto"}},
	"PUBLISH_TAKEOVER":              {{"idle", "idle"}, {"never", "never"}, {"ALWAYS", "always"}, {" Never ", "never"}},
	"MAX_WRITE_DELAY_MS":            {{"100", "100"}, {"0", "0"}, {"2000", "2000"}, {" 30 ", "30"}},
	"PUBLISH_GRACE_SECONDS":         {{"0", "0"}, {"300", "300"}, {" 5 ", "5"}},
	"DRAIN_SECONDS":                 {{"0", "0"}, {"60", "60"}, {" 5 ", "5"}},
	"PLAY_WAIT_SECONDS":             {{"0", "0"}, {"86400", "86400"}, {" 30 ", "30"}},
	"IP_LIMIT_IPV6_PREFIX":          {{"1", "1"}, {"128", "128"}, {" 56 ", "56"}},
	"KEY_GUESSES_PER_MINUTE":        {{"0", "0"}, {"1000000", "1000000"}, {" 5 ", "5"}},
	"MAX_PUBLISH_MBPS":              {{"0", "0"}, {"100000", "100000"}, {" 64 ", "64"}},
	"LOG_REQUESTS":                  {{"YES", "YES"}, {"yes", "YES"}, {"True", "YES"}, {"1", "YES"}, {"on", "YES"}, {" NO ", "NO"}, {"false", "NO"}, {"0", "NO"}, {"OFF", "NO"}},
	"LOG_DEBUG":                     {{"YES", "YES"}, {"no", "NO"}, {" 1 ", "YES"}},
	"LOG_FORMAT":                    {{"text", "text"}, {" JSON ", "json"}},
	"WATCHDOG_SECONDS":              {{"0", "0"}, {"3600", "3600"}, {" 2 ", "2"}},
	"PROXY_PROTOCOL_FROM":           {{"10.0.0.0/8", "10.0.0.0/8"}, {"*", "*"}},
	"CALLBACK_URL": {
		{"http://127.0.0.1:8080/callback", "http://127.0.0.1:8080/callback"}, {" https://example.com\n", "https://example.com"},
		{"https://user:hunter2@example.com/?token=hunter2", "https://user:xxxxx@example.com/?***"},
	},
	"JWT_SECRET":               {{"hunter2", "***"}, {"two words\n", "***"}},
	"CUSTOM_JWT_SUBJECT":       {{"x", "x"}},
	"STATE_DIR":                {{"/var/lib/rtmp-server", "/var/lib/rtmp-server"}, {"./with spaces", "./with spaces"}},
	"REDIS_USE":                {{"YES", "YES"}, {"no", "NO"}},
	"REDIS_HOST":               {{"redis", "redis"}, {"::1", "::1"}},
	"REDIS_PORT":               {{"1", "1"}, {"65535", "65535"}},
	"REDIS_PASSWORD":           {{"hunter2", "***"}},
	"REDIS_CHANNEL":            {{"other", "other"}},
	"REDIS_TLS":                {{"YES", "YES"}},
	"SSL_PORT":                 {{"0", "0"}, {"8443", "8443"}},
	"SSL_CERT":                 {{"/cert.pem", "/cert.pem"}},
	"SSL_KEY":                  {{"/key.pem", "/key.pem"}},
	"SSL_CHECK_RELOAD_SECONDS": {{"0", "0"}, {"86400", "86400"}},
	"CONTROL_USE":              {{"YES", "YES"}},
	"CONTROL_BASE_URL":         {{"wss://example.com/base", "wss://example.com/base"}, {"http://u:hunter2@h", "http://u:xxxxx@h"}},
	"CONTROL_SECRET":           {{"hunter2", "***"}},
	"EXTERNAL_IP":              {{"203.0.113.1", "203.0.113.1"}},
	"EXTERNAL_PORT":            {{"0", "0"}, {"65535", "65535"}},
	"EXTERNAL_SSL":             {{"YES", "YES"}},
	"ADMIN_ADDRESS": {
		{"no", "NO"}, {"off", "NO"}, {"127.0.0.1:0", "127.0.0.1:0"}, {"[::1]:8080", "[::1]:8080"}, {" Localhost:080\n", "localhost:80"},
		{":65535", ":65535"}, {"0.0.0.0:8080", "0.0.0.0:8080"}, {"media.example.com:1", "media.example.com:1"},
	},
	"ADMIN_TOKEN": {{adminToken, "***"}, {strings.Repeat("-._~+/=0aZ", 409), "***"}},
}

// overflow fits into no integer, wraps adds up to a small one in 64 bits.
const (
	overflow = "99999999999999999999999"
	wraps    = "18446744073709551617"
)

// bad gives, for each setting, texts that cannot be used: junk, below, above, negative, overflow.
var bad = map[string][]string{
	"BIND_ADDRESS": {
		"127.0.0.1:1935", "[::1]:1935", "[::1", "::1]", "[127.0.0.1]", "[localhost]", "[]", "[[::1]]", "1.2.3", "999.1.1.1", "1.2.3.4.", "-1",
		"a b", "a..b", ".", "rtmp://host", "host/", "*", "a\x00", "ünlaut", strings.Repeat("a", 64), strings.Repeat("a.", 128), overflow,
	},
	"RTMP_PORT":                     {"x", "-1", "65536", "1935.0", "0x10", "1_000", "1 2", "1,2", wraps, overflow, "-" + overflow},
	"RTMP_HOST":                     {"a b", "a\x00", "a\nb", "a\xff", strings.Repeat("a", 256)},
	"HTTP_PORT":                     {"x", "-1", "65536", "YES", "80,81", "0x10", wraps, overflow},
	"HTTPS_PORT":                    {"x", "-1", "65536", "YES", wraps, overflow},
	"HTTP_CORS_ORIGIN":              {"x", "example.com", "https://", "https://example.com/", "https://a https://b", "https://*.example.com", "**", overflow},
	"RTMP_CHUNK_SIZE":               {"x", "0", "127", "65537", "-128", wraps, overflow},
	"RTMP_PLAY_WHITELIST":           {"x", "-1", ",", "10.0.0.0/33", "127.0.0.1;::1", "fe80::1%eth0", overflow},
	"ID_MAX_LENGTH":                 {"x", "0", "1025", "-1", wraps, overflow},
	"MAX_CONNECTIONS":               {"x", "-1", "1000001", wraps, overflow},
	"MAX_IP_CONCURRENT_CONNECTIONS": {"x", "-1", "1000001", wraps, overflow},
	"CONCURRENT_LIMIT_WHITELIST":    {"x", "-1", ",", "127.0.0.1/", overflow},
	"GOP_CACHE_TOTAL_MB":            {"x", "-1", "16777217", "64MB", wraps, overflow},
	"MEMORY_LIMIT_MB":               {"x", "-1", "16777217", "1GiB", wraps, overflow},
	"GOP_CACHE_SIZE_MB":             {"x", "-1", "1048577", "256MB", "17592186044416", "9223372036854775807", wraps, overflow},
	"PLAY_ENHANCED":                 {"x", "0", "-1", "YES", "permissive,strict", overflow},
	"PLAY_HEVC":                     {"x", "12", "-1", "hvc1", "auto,legacy", overflow},
	"PUBLISH_TAKEOVER":              {"x", "0", "-1", "YES", "idle,never", overflow},
	"MAX_WRITE_DELAY_MS":            {"x", "-1", "2001", "30ms", "9223372036854775807", wraps, overflow},
	"PUBLISH_GRACE_SECONDS":         {"x", "-1", "301", "10s", "9223372036854775807", wraps, overflow},
	"DRAIN_SECONDS":                 {"x", "-1", "61", "5s", "9223372036854775807", wraps, overflow},
	"PLAY_WAIT_SECONDS":             {"x", "-1", "86401", "30s", "9223372036854775807", wraps, overflow},
	"IP_LIMIT_IPV6_PREFIX":          {"x", "0", "129", "-1", "/64", wraps, overflow},
	"KEY_GUESSES_PER_MINUTE":        {"x", "-1", "1000001", "10/min", wraps, overflow},
	"MAX_PUBLISH_MBPS":              {"x", "-1", "100001", "64M", "0.5", wraps, overflow},
	"LOG_REQUESTS":                  {"x", "-1", "2", "YESNO", "Y", overflow},
	"LOG_DEBUG":                     {"x", "-1", "2", overflow},
	"WATCHDOG_SECONDS":              {"x", "-1", "3601", "30s", wraps, overflow},
	"LOG_FORMAT":                    {"x", "xml", "jsonl", "1"},
	"PROXY_PROTOCOL_FROM":           {"x", ","},
	"CALLBACK_URL":                  {"hunter2", "ftp://hunter2", "http://", "http:///hunter2", "https://hunter2.example/#x", "http://h:hunter2/", "://"},
	"JWT_SECRET":                    {"hunter2\x00", "hunter2\xff", strings.Repeat("hunter2", 1000)},
	"CUSTOM_JWT_SUBJECT":            {"a b", strings.Repeat("a", 256)},
	"STATE_DIR":                     {"a\x00", strings.Repeat("a", 4097)},
	"REDIS_USE":                     {"perhaps", "2", overflow},
	"REDIS_HOST":                    {"redis:6379", "a b"},
	"REDIS_PORT":                    {"x", "0", "65536", "-1", wraps, overflow},
	"REDIS_PASSWORD":                {"hunter2\x00"},
	"REDIS_CHANNEL":                 {"a b"},
	"REDIS_TLS":                     {"x"},
	"SSL_PORT":                      {"x", "65536", "-1", wraps, overflow},
	"SSL_CERT":                      {"a\x00"},
	"SSL_KEY":                       {"a\x00"},
	"SSL_CHECK_RELOAD_SECONDS":      {"x", "-1", "86401", wraps, overflow},
	"CONTROL_USE":                   {"x"},
	"CONTROL_BASE_URL":              {"hunter2", "rtmp://hunter2"},
	"CONTROL_SECRET":                {"hunter2\x00"},
	"EXTERNAL_IP":                   {"1.2.3.4:5", "a b", "example.com", "fe80::1%eth0"},
	"EXTERNAL_PORT":                 {"x", "65536", "-1", wraps, overflow},
	"EXTERNAL_SSL":                  {"x"},
	"ADMIN_ADDRESS": {
		"x", "YES", "8080", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:65536", "::1:8080", "[::1]", "[[::1]]:80", "http://127.0.0.1:80",
		"127.0.0.1:80/", "a b:80", "1.2.3:80", "127.0.0.1:" + overflow,
	},
	"ADMIN_TOKEN": {"hunter2", strings.Repeat("hunter2", 600), "hunter2 " + adminToken, adminToken + "\x00", "hunter2é" + adminToken, strings.Repeat("a", 31)},
}

func shown(s Settings) map[string]string {
	values := make(map[string]string)
	for _, attr := range s.Effective() {
		values[attr.Key] = attr.Value.String()
	}
	return values
}

func TestUnsetAndBlankSettingsHaveTheirDefault(t *testing.T) {
	want := defaults(t)
	for _, blank := range []string{"", " ", "\t\r\n "} {
		got, err := Load(func(string) (string, bool) { return blank, true })
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("all settings %q: %+v, %v, want %+v", blank, got, err, want)
		}
	}
	got, err := Load(environment(nil))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("all settings unset: %+v, %v, want %+v", got, err, want)
	}
}

func TestSettingTakesItsValuesAndTouchesNoOther(t *testing.T) {
	for _, r := range table {
		if len(good[r.name]) == 0 || len(bad[r.name]) == 0 {
			t.Errorf("%s has no test values", r.name)
		}
		for _, pair := range good[r.name] {
			value, want := pair[0], pair[1]
			settings, err := Load(environment(with(r.name, value)))
			if err != nil {
				t.Errorf("%s=%q: %v", r.name, value, err)
				continue
			}
			wanted := shown(defaults(t))
			for other, value := range needed[r.name] {
				wanted[other] = value
				if strings.HasSuffix(other, "_SECRET") || strings.HasSuffix(other, "_TOKEN") {
					wanted[other] = mask
				}
			}
			wanted[r.name] = want
			if got := shown(settings); !reflect.DeepEqual(got, wanted) {
				t.Errorf("%s=%q: effective %v, want %v", r.name, value, got, wanted)
			}
		}
	}
}

func TestSettingsReachTheirFields(t *testing.T) {
	got, err := Load(environment(map[string]string{
		"PROXY_PROTOCOL_FROM":           "10.0.0.1",
		"CALLBACK_URL":                  "https://example.com/x",
		"JWT_SECRET":                    "jwt secret",
		"CUSTOM_JWT_SUBJECT":            "subject",
		"STATE_DIR":                     "/state",
		"REDIS_USE":                     "yes",
		"REDIS_HOST":                    "redis",
		"REDIS_PORT":                    "6380",
		"REDIS_PASSWORD":                "password",
		"REDIS_CHANNEL":                 "channel",
		"REDIS_TLS":                     "yes",
		"SSL_PORT":                      "8443",
		"SSL_CERT":                      "cert",
		"SSL_KEY":                       "key",
		"SSL_CHECK_RELOAD_SECONDS":      "5",
		"HTTP_PORT":                     "8080",
		"HTTPS_PORT":                    "8444",
		"HTTP_CORS_ORIGIN":              "https://example.com",
		"CONTROL_USE":                   "yes",
		"CONTROL_BASE_URL":              "ws://example.com",
		"CONTROL_SECRET":                "control secret",
		"EXTERNAL_IP":                   "203.0.113.1",
		"EXTERNAL_PORT":                 "1936",
		"EXTERNAL_SSL":                  "yes",
		"ADMIN_ADDRESS":                 "0.0.0.0:9090",
		"ADMIN_TOKEN":                   adminToken,
		"BIND_ADDRESS":                  "[::1]",
		"RTMP_PORT":                     "1936",
		"RTMP_HOST":                     "live.example.com",
		"RTMP_CHUNK_SIZE":               "4096",
		"RTMP_PLAY_WHITELIST":           "10.0.0.0/8",
		"ID_MAX_LENGTH":                 "64",
		"MAX_CONNECTIONS":               "900",
		"MAX_IP_CONCURRENT_CONNECTIONS": "9",
		"CONCURRENT_LIMIT_WHITELIST":    "::1",
		"GOP_CACHE_SIZE_MB":             "16",
		"GOP_CACHE_TOTAL_MB":            "64",
		"MEMORY_LIMIT_MB":               "512",
		"PUBLISH_TAKEOVER":              "never",
		"PUBLISH_GRACE_SECONDS":         "15",
		"DRAIN_SECONDS":                 "8",
		"PLAY_WAIT_SECONDS":             "30",
		"PLAY_ENHANCED":                 "strict",
		"PLAY_HEVC":                     "legacy",
		"MAX_WRITE_DELAY_MS":            "40",
		"IP_LIMIT_IPV6_PREFIX":          "56",
		"KEY_GUESSES_PER_MINUTE":        "7",
		"MAX_PUBLISH_MBPS":              "64",
		"LOG_REQUESTS":                  "no",
		"LOG_DEBUG":                     "yes",
		"LOG_FORMAT":                    "json",
		"WATCHDOG_SECONDS":              "20",
	}))
	want := Settings{
		BindAddress:              "::1",
		RTMPPort:                 1936,
		RTMPHost:                 "live.example.com",
		ChunkSize:                4096,
		PlayWhitelist:            mustList(t, "10.0.0.0/8"),
		IDMaxLength:              64,
		MaxConnections:           900,
		MaxConnectionsPerIP:      9,
		ConnectionLimitWhitelist: mustList(t, "::1"),
		CacheBytes:               16 << 20,
		CacheTotal:               64 << 20,
		MemoryLimit:              512 << 20,
		Takeover:                 TakeoverNever,
		PlayEnhanced:             PlayStrict,
		PlayHEVC:                 HEVCLegacy,
		PublishGrace:             15 * time.Second,
		Drain:                    8 * time.Second,
		PlayWait:                 30 * time.Second,
		MaxWriteDelay:            40 * time.Millisecond,
		IPv6Prefix:               56,
		KeyGuesses:               7,
		MaxPublishMbps:           64,
		Callback:                 Callback{URL: "https://example.com/x", Secret: "jwt secret", Subject: "subject"},
		StateDir:                 "/state",
		Control: Control{
			Use: true, BaseURL: "ws://example.com", Secret: "control secret",
			ExternalIP: netip.MustParseAddr("203.0.113.1"), ExternalPort: 1936, ExternalTLS: true,
		},
		Redis:     Redis{Use: true, Host: "redis", Port: 6380, Password: "password", Channel: "channel", TLS: true},
		TLS:       TLS{Port: 8443, CertFile: "cert", KeyFile: "key", ReloadCheckEach: 5 * time.Second},
		Admin:     Admin{Address: "0.0.0.0:9090", Chosen: true, Token: adminToken},
		HTTP:      HTTP{Port: 8080, SecurePort: 8444, Origin: "https://example.com"},
		ProxyFrom: mustList(t, "10.0.0.1"),
		LogDebug:  true,
		LogFormat: LogJSON,
		Watchdog:  20 * time.Second,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Load: %+v, %v, want %+v", got, err, want)
	}
}

func TestBadValueNamesVariableValueAndExpectation(t *testing.T) {
	for _, r := range table {
		for _, value := range bad[r.name] {
			settings, err := Load(environment(with(r.name, value)))
			if !errors.Is(err, ErrValue) {
				t.Errorf("%s=%q: error %v, want ErrValue", r.name, value, err)
				continue
			}
			if !reflect.DeepEqual(settings, Settings{}) {
				t.Errorf("%s=%q: settings in spite of an error: %+v", r.name, value, settings)
			}
			quoted := strconv.Quote(value)
			if r.secret || r.private {
				quoted = mask
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: a secret is shown: %v", r.name, err)
				}
			}
			for _, part := range []string{r.name + "=" + quoted + ":", "expected " + r.expected} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s=%q: error %q does not say %q", r.name, value, err, part)
				}
			}
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("%s=%q: error %q is not one clean line", r.name, value, err)
			}
		}
	}
}

func TestAllMistakesAreReportedTogether(t *testing.T) {
	values := make(map[string]string)
	var want []string
	for _, r := range table {
		values[r.name] = bad[r.name][0]
		want = append(want, r.name)
	}
	_, err := Load(environment(values))
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d:\n%v", len(lines), len(want), err)
	}
	for _, name := range want {
		if n := strings.Count(err.Error(), ": "+name); n != 1 {
			t.Errorf("%s is named %d times in\n%v", name, n, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password is shown in\n%v", err)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	secret := row{name: "TOKEN", secret: true, parser: word(func(s *Settings) *string { return &s.RTMPHost }, 8)}
	rows := []row{secret}

	settings, err := load(rows, one("TOKEN", "hunter2"))
	if err != nil || settings.RTMPHost != "hunter2" {
		t.Fatalf("load: %+v, %v", settings, err)
	}
	if got, want := settings.effective(rows), []slog.Attr{slog.String("TOKEN", "***")}; !reflect.DeepEqual(got, want) {
		t.Errorf("effective %v, want %v", got, want)
	}
	if got, want := (Settings{}).effective(rows), []slog.Attr{slog.String("TOKEN", "")}; !reflect.DeepEqual(got, want) {
		t.Errorf("effective %v for an empty secret, want %v", got, want)
	}

	_, err = load(rows, one("TOKEN", "hunter2 hunter2"))
	if !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), "TOKEN=***: expected at most 8") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}

func TestEffectiveFollowsTheTable(t *testing.T) {
	for i, attr := range defaults(t).Effective() {
		if attr.Key != table[i].name {
			t.Errorf("attribute %d is %s, want %s", i, attr.Key, table[i].name)
		}
		if attr.Value.String() != table[i].fallback {
			t.Errorf("%s is %q by default, the table says %q", attr.Key, attr.Value, table[i].fallback)
		}
	}
}

// withoutSecrets leaves out what is not shown as it was set.
func withoutSecrets(s Settings) Settings {
	s.Callback.URL, s.Callback.Secret = "", ""
	s.Control.BaseURL, s.Control.Secret = "", ""
	s.Redis.Password = ""
	s.Admin.Token = ""
	s.Admin.Chosen = true // as what is shown is set
	return s
}

func FuzzSettings(f *testing.F) {
	for name, values := range good {
		for _, pair := range values {
			f.Add(name, pair[0], "LOG_DEBUG", "YES")
		}
	}
	for name, values := range bad {
		for _, value := range values {
			f.Add(name, value, "JWT_SECRET", "x")
		}
	}
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		s, err := Load(environment(map[string]string{name1: value1, name2: value2}))
		if err != nil {
			if !errors.Is(err, ErrValue) {
				t.Fatalf("an error of no known kind: %v", err)
			}
			return
		}
		inRange := s.RTMPPort >= 0 && s.RTMPPort <= 65535 &&
			len(s.BindAddress) <= 255 && !strings.ContainsAny(s.BindAddress, "[] \n") &&
			!strings.ContainsAny(s.RTMPHost, " \n\x00") &&
			s.ChunkSize >= 128 && s.ChunkSize <= 65536 &&
			!s.PlayWhitelist.Empty() &&
			s.IDMaxLength >= 1 && s.IDMaxLength <= 1024 &&
			s.MaxConnectionsPerIP >= 0 && s.CacheBytes >= 0 && s.CacheBytes%(1<<20) == 0 &&
			(s.PlayEnhanced == PlayPermissive || s.PlayEnhanced == PlayStrict) &&
			(s.PlayHEVC == HEVCAuto || s.PlayHEVC == HEVCFourCC || s.PlayHEVC == HEVCLegacy || s.PlayHEVC == HEVCPublished) &&
			(s.Takeover == TakeoverIdle || s.Takeover == TakeoverNever || s.Takeover == TakeoverAlways) &&
			s.MaxWriteDelay >= 0 && s.MaxWriteDelay <= 2*time.Second &&
			s.PublishGrace >= 0 && s.PublishGrace <= 5*time.Minute &&
			s.Drain >= 0 && s.Drain <= time.Minute &&
			s.PlayWait >= 0 && s.PlayWait <= 24*time.Hour &&
			s.IPv6Prefix >= 1 && s.IPv6Prefix <= 128
		if !inRange {
			t.Fatalf("out of range: %+v", s)
		}
		values := shown(s)
		if values["ADMIN_TOKEN"] != "" {
			values["ADMIN_TOKEN"] = adminToken // as the mask is too short
		}
		again, err := Load(environment(values))
		if err != nil || !reflect.DeepEqual(withoutSecrets(again), withoutSecrets(s)) {
			t.Fatalf("effective values %v load as %+v (%v), want %+v", values, again, err, s)
		}
	})
}
