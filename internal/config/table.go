package config

import (
	"net/netip"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

// row declares one setting.
type row struct {
	group    string // heading in the help; the rows of a group stand together
	name     string // of the environment variable
	fallback string // value when the variable is unset or blank
	help     string // meaning, in one line
	secret   bool   // the value is never shown
	private  bool   // the value may hold a secret, which the parser's text leaves out
	parser
}

// Headings of the help.
const (
	groupListening = "Listening"
	groupChannels  = "Channels"
	groupLimits    = "Limits of connections"
	groupCallback  = "Event callback"
	groupRedis     = "Commands by Redis"
	groupTLS       = "RTMPS"
	groupHTTP      = "Viewers over HTTP"
	groupControl   = "Control server"
	groupAdmin     = "Administration"
	groupLogging   = "Logging"
)

// Upper bounds of settings that have no natural one: far above any sensible use, they catch slips of the keyboard.
const (
	maxIDLength    = 1024
	maxConnections = 1_000_000
	maxPublishMbps = 100_000
	maxKeyGuesses  = 1_000_000
	maxCacheMB     = 1 << 20
	maxMemoryMB    = 16 << 20
	maxPlayWait    = 24 * time.Hour
	maxGrace       = 5 * time.Minute
	maxDrain       = time.Minute
	maxWatchdog    = time.Hour
	maxWriteDelay  = 2 * time.Second
	maxHostLength  = 255 // longest domain name (RFC 1035 section 2.3.4)
	maxTextLength  = 4096
	maxReloadCheck = 24 * time.Hour
)

// table declares every setting, in the order in which help and documentation show them.
var table = []row{
	{
		group: groupListening, name: "BIND_ADDRESS", help: "address to listen on, all if empty",
		parser: bindAddress(func(s *Settings) *string { return &s.BindAddress }),
	},
	{
		group: groupListening, name: "RTMP_PORT", fallback: "1935", help: "RTMP port, 0 for any free one",
		parser: number(func(s *Settings) *int { return &s.RTMPPort }, 0, 65535, 1),
	},
	{
		group: groupListening, name: "RTMP_HOST", help: "host name put into the callback token as rtmp_host",
		parser: word(func(s *Settings) *string { return &s.RTMPHost }, maxHostLength),
	},
	{
		group: groupListening, name: "RTMP_CHUNK_SIZE", fallback: "60000", help: "outgoing chunk size in bytes",
		parser: number(func(s *Settings) *int { return &s.ChunkSize }, 128, 65536, 1),
	},
	{
		group: groupListening, name: "DRAIN_SECONDS", fallback: "5",
		help:   "how long a stop waits for clients that it asks to reconnect elsewhere, if there are any, 0 to ask nobody",
		parser: number(func(s *Settings) *time.Duration { return &s.Drain }, 0, maxDrain, time.Second),
	},
	{
		group: groupListening, name: "WATCHDOG_SECONDS", fallback: "30",
		help:   "how long a part of the server may be stuck before the process ends with status 3, 0 for ever",
		parser: number(func(s *Settings) *time.Duration { return &s.Watchdog }, 0, maxWatchdog, time.Second),
	},
	{
		group: groupChannels, name: "ID_MAX_LENGTH", fallback: "128", help: "longest CHANNEL and KEY in characters",
		parser: number(func(s *Settings) *int { return &s.IDMaxLength }, 1, maxIDLength, 1),
	},
	{
		group: groupChannels, name: "RTMP_PLAY_WHITELIST", fallback: "*", help: "who may play, everyone if empty",
		parser: addressList(func(s *Settings) *access.List { return &s.PlayWhitelist }),
	},
	{
		group: groupChannels, name: "PLAY_WAIT_SECONDS", fallback: "0",
		help:   "how long a player may wait on a channel that is not live, 0 for ever",
		parser: number(func(s *Settings) *time.Duration { return &s.PlayWait }, 0, maxPlayWait, time.Second),
	},
	{
		group: groupChannels, name: "PUBLISH_TAKEOVER", fallback: string(TakeoverIdle),
		help:   "whether a second publisher replaces the first: idle means only one that has been silent for more than 2 s",
		parser: choice(func(s *Settings) *Takeover { return &s.Takeover }, TakeoverIdle, TakeoverNever, TakeoverAlways),
	},
	{
		group: groupChannels, name: "PUBLISH_GRACE_SECONDS", fallback: "10",
		help:   "how long players are left in peace when the connection of a publisher is lost, 0 for not at all",
		parser: number(func(s *Settings) *time.Duration { return &s.PublishGrace }, 0, maxGrace, time.Second),
	},
	{
		group: groupChannels, name: "GOP_CACHE_SIZE_MB", fallback: "256",
		help:   "most that one channel keeps for new players in MB, 0 for no cache",
		parser: number(func(s *Settings) *int64 { return &s.CacheBytes }, 0, maxCacheMB<<20, 1<<20),
	},
	{
		group: groupChannels, name: "GOP_CACHE_TOTAL_MB", fallback: "0",
		help:   "most that all channels together keep for new players in MB, 0 for a quarter of the memory",
		parser: number(func(s *Settings) *int64 { return &s.CacheTotal }, 0, maxMemoryMB<<20, 1<<20),
	},
	{
		group: groupChannels, name: "MAX_WRITE_DELAY_MS", fallback: "100",
		help:   "how long media may wait to go out together when there are many viewers, 0 for never",
		parser: number(func(s *Settings) *time.Duration { return &s.MaxWriteDelay }, 0, maxWriteDelay, time.Millisecond),
	},
	{
		group: groupChannels, name: "PLAY_ENHANCED", fallback: string(PlayPermissive),
		help:   "whether players that announce nothing of Enhanced RTMP are sent it, or strictly what older players know",
		parser: choice(func(s *Settings) *PlayEnhanced { return &s.PlayEnhanced }, PlayPermissive, PlayStrict),
	},
	{
		group: groupChannels, name: "PLAY_HEVC", fallback: string(HEVCAuto),
		help:   "form in which players get H.265: by FourCC, as CodecID 12 (legacy), as published, or what suits each",
		parser: choice(func(s *Settings) *PlayHEVC { return &s.PlayHEVC }, HEVCAuto, HEVCFourCC, HEVCLegacy, HEVCPublished),
	},
	{
		group: groupLimits, name: "MEMORY_LIMIT_MB", fallback: "0",
		help:   "memory that the server may use in MB, 0 for what GOMEMLIMIT, the container or the machine allows",
		parser: number(func(s *Settings) *int64 { return &s.MemoryLimit }, 0, maxMemoryMB<<20, 1<<20),
	},
	{
		group: groupLimits, name: "MAX_CONNECTIONS", fallback: "0",
		help:   "most connections at a time, 0 for as many as the limit of open files allows",
		parser: number(func(s *Settings) *int { return &s.MaxConnections }, 0, maxConnections, 1),
	},
	{
		group: groupLimits, name: "MAX_IP_CONCURRENT_CONNECTIONS", fallback: "4",
		help:   "most connections of one address at a time, 0 for no limit",
		parser: number(func(s *Settings) *int { return &s.MaxConnectionsPerIP }, 0, maxConnections, 1),
	},
	{
		group: groupLimits, name: "CONCURRENT_LIMIT_WHITELIST", help: "who is exempt from that limit, nobody if empty",
		parser: addressList(func(s *Settings) *access.List { return &s.ConnectionLimitWhitelist }),
	},
	{
		group: groupLimits, name: "IP_LIMIT_IPV6_PREFIX", fallback: "64",
		help:   "bits of an IPv6 address that count as one address for that limit",
		parser: number(func(s *Settings) *int { return &s.IPv6Prefix }, 1, 128, 1),
	},
	{
		group: groupLimits, name: "KEY_GUESSES_PER_MINUTE", fallback: "10",
		help:   "most wrong keys of one address in a minute, 0 for no limit",
		parser: number(func(s *Settings) *int { return &s.KeyGuesses }, 0, maxKeyGuesses, 1),
	},
	{
		group: groupLimits, name: "MAX_PUBLISH_MBPS", fallback: "0",
		help:   "most that one publisher may send in Mbit/s, measured over 5 s, 0 for no limit",
		parser: number(func(s *Settings) *int { return &s.MaxPublishMbps }, 0, maxPublishMbps, 1),
	},
	{
		group: groupLimits, name: "PROXY_PROTOCOL_FROM",
		help:   "load balancers whose PROXY protocol header (v1 or v2) is believed, nobody if empty",
		parser: addressList(func(s *Settings) *access.List { return &s.ProxyFrom }),
	},
	{
		group: groupCallback, name: "CALLBACK_URL", private: true,
		help:   "where to ask whether a publisher may publish and to tell of its end, everyone may if empty",
		parser: address(func(s *Settings) *string { return &s.Callback.URL }, "http", "https"),
	},
	{
		group: groupCallback, name: "JWT_SECRET", secret: true, help: "signs the tokens of the callback, needed with CALLBACK_URL",
		parser: phrase(func(s *Settings) *string { return &s.Callback.Secret }),
	},
	{
		group: groupCallback, name: "CUSTOM_JWT_SUBJECT", fallback: "rtmp_event", help: "subject of those tokens",
		parser: word(func(s *Settings) *string { return &s.Callback.Subject }, maxHostLength),
	},
	{
		group: groupCallback, name: "STATE_DIR",
		help:   "directory in which the ends that were not told yet outlive the process, none if empty",
		parser: phrase(func(s *Settings) *string { return &s.StateDir }),
	},
	{
		group: groupRedis, name: "REDIS_USE", fallback: no, help: "take commands from Redis Pub/Sub",
		parser: toggle(func(s *Settings) *bool { return &s.Redis.Use }),
	},
	{
		group: groupRedis, name: "REDIS_HOST", fallback: "127.0.0.1", help: "host of Redis",
		parser: bindAddress(func(s *Settings) *string { return &s.Redis.Host }),
	},
	{
		group: groupRedis, name: "REDIS_PORT", fallback: "6379", help: "port of Redis",
		parser: number(func(s *Settings) *int { return &s.Redis.Port }, 1, 65535, 1),
	},
	{
		group: groupRedis, name: "REDIS_PASSWORD", secret: true, help: "password of Redis, if it wants one",
		parser: phrase(func(s *Settings) *string { return &s.Redis.Password }),
	},
	{
		group: groupRedis, name: "REDIS_CHANNEL", fallback: "rtmp_commands", help: "Pub/Sub channel of the commands",
		parser: word(func(s *Settings) *string { return &s.Redis.Channel }, maxHostLength),
	},
	{
		group: groupRedis, name: "REDIS_TLS", fallback: no, help: "connect to Redis by TLS",
		parser: toggle(func(s *Settings) *bool { return &s.Redis.TLS }),
	},
	{
		group: groupTLS, name: "SSL_PORT", fallback: "443", help: "RTMPS port, 0 for any free one; open if there is a certificate",
		parser: number(func(s *Settings) *int { return &s.TLS.Port }, 0, 65535, 1),
	},
	{
		group: groupTLS, name: "SSL_CERT", help: "file of the certificate and its chain (fullchain.pem), no RTMPS if empty",
		parser: phrase(func(s *Settings) *string { return &s.TLS.CertFile }),
	},
	{
		group: groupTLS, name: "SSL_KEY", help: "file of the private key, needed with SSL_CERT",
		parser: phrase(func(s *Settings) *string { return &s.TLS.KeyFile }),
	},
	{
		group: groupTLS, name: "SSL_CHECK_RELOAD_SECONDS", fallback: "60",
		help:   "how often to look whether those files have changed, 0 for never",
		parser: number(func(s *Settings) *time.Duration { return &s.TLS.ReloadCheckEach }, 0, maxReloadCheck, time.Second),
	},
	{
		group: groupHTTP, name: "HTTP_PORT", fallback: no, help: "port on which viewers play by HTTP and WebSocket",
		parser: optionalPort(func(s *Settings) *int { return &s.HTTP.Port }),
	},
	{
		group: groupHTTP, name: "HTTPS_PORT", fallback: no, help: "port likewise for HTTPS, with the certificate of RTMPS",
		parser: optionalPort(func(s *Settings) *int { return &s.HTTP.SecurePort }),
	},
	{
		group: groupHTTP, name: "HTTP_CORS_ORIGIN", fallback: everyOrigin,
		help:   "origin of the pages that may play, beside those of the same host",
		parser: origin(func(s *Settings) *string { return &s.HTTP.Origin }),
	},
	{
		group: groupControl, name: "CONTROL_USE", fallback: no, help: "ask a control server by WebSocket in place of the callback",
		parser: toggle(func(s *Settings) *bool { return &s.Control.Use }),
	},
	{
		group: groupControl, name: "CONTROL_BASE_URL", private: true, help: "its URL, to which ws/control/rtmp is added",
		parser: address(func(s *Settings) *string { return &s.Control.BaseURL }, "http", "https", "ws", "wss"),
	},
	{
		group: groupControl, name: "CONTROL_SECRET", secret: true, help: "signs the token it is shown",
		parser: phrase(func(s *Settings) *string { return &s.Control.Secret }),
	},
	{
		group: groupControl, name: "EXTERNAL_IP", help: "address at which this server can be reached, for it to know",
		parser: ipAddress(func(s *Settings) *netip.Addr { return &s.Control.ExternalIP }),
	},
	{
		group: groupControl, name: "EXTERNAL_PORT", fallback: "0", help: "port likewise, 0 to leave it out",
		parser: number(func(s *Settings) *int { return &s.Control.ExternalPort }, 0, 65535, 1),
	},
	{
		group: groupControl, name: "EXTERNAL_SSL", fallback: no, help: "whether it is to be reached by RTMPS",
		parser: toggle(func(s *Settings) *bool { return &s.Control.ExternalTLS }),
	},
	{
		group: groupAdmin, name: "ADMIN_ADDRESS", fallback: DefaultAdminAddress,
		help:   "where to serve the administration, to this machine alone without ADMIN_TOKEN",
		parser: hostPort(func(s *Settings) *string { return &s.Admin.Address }),
	},
	{
		group: groupAdmin, name: "ADMIN_TOKEN", secret: true,
		help:   "what who administers the server has to show, nothing if empty",
		parser: token(func(s *Settings) *string { return &s.Admin.Token }),
	},
	{
		group: groupLogging, name: "LOG_REQUESTS", fallback: yes, help: "log connections, publishers and players",
		parser: toggle(func(s *Settings) *bool { return &s.LogRequests }),
	},
	{
		group: groupLogging, name: "LOG_DEBUG", fallback: no, help: "log details for debugging",
		parser: toggle(func(s *Settings) *bool { return &s.LogDebug }),
	},
	{
		group: groupLogging, name: "LOG_FORMAT", fallback: string(LogText), help: "form of the lines: name=value pairs, or one JSON object each",
		parser: choice(func(s *Settings) *LogFormat { return &s.LogFormat }, LogText, LogJSON),
	},
}
