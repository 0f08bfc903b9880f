package config

import (
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
	parser
}

// Headings of the help.
const (
	groupListening = "Listening"
	groupChannels  = "Channels"
	groupLimits    = "Limits by address"
	groupLogging   = "Logging"
)

// Upper bounds of settings that have no natural one: far above any sensible use, they catch slips of the keyboard.
const (
	maxIDLength    = 1024
	maxConnections = 1_000_000
	maxCacheMB     = 1 << 20
	maxPlayWait    = 24 * time.Hour
	maxHostLength  = 255 // longest domain name (RFC 1035 section 2.3.4)
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
		group: groupChannels, name: "GOP_CACHE_SIZE_MB", fallback: "256",
		help:   "most that one channel keeps for new players in MB, 0 for no cache",
		parser: number(func(s *Settings) *int64 { return &s.CacheBytes }, 0, maxCacheMB<<20, 1<<20),
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
		group: groupLogging, name: "LOG_REQUESTS", fallback: yes, help: "log connections, publishers and players",
		parser: toggle(func(s *Settings) *bool { return &s.LogRequests }),
	},
	{
		group: groupLogging, name: "LOG_DEBUG", fallback: no, help: "log details for debugging",
		parser: toggle(func(s *Settings) *bool { return &s.LogDebug }),
	},
}
