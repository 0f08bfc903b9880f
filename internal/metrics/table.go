package metrics

// The metrics that this package is told of.
var (
	buildInfo    = gauge("rtmp_build_info", "1, with the version of the server and of Go", "version", "go")
	sessionEnds  = counter("rtmp_session_ends_total", "sessions that are over, by what they did and why they ended", "kind", "reason")
	refusals     = counter("rtmp_refusals_total", "connections that neither published nor played, by why they ended", "reason")
	flushViewers = histogram("rtmp_flush_viewers", "viewers of a channel that were served in one pass")
	flushSeconds = histogram("rtmp_flush_seconds", "how long a pass took, which the last of its viewers waited")
	callbacks    = histogram("rtmp_callback_seconds", "how long the callback took, by event and by what came of it", "event", "result")
	commands     = counter("rtmp_redis_commands_total", "commands from Redis, by what came of them", "verb", "result")

	told = []*family{buildInfo, sessionEnds, refusals, flushViewers, flushSeconds, callbacks, commands}
)

// The metrics that are looked up.
var (
	connections    = gauge("rtmp_connections", "open connections", "protocol")
	accepted       = counter("rtmp_connections_accepted_total", "connections that were accepted, refused ones included", "protocol")
	sessions       = gauge("rtmp_sessions", "publishers and players at present", "kind", "protocol")
	bytesIn        = counter("rtmp_received_bytes_total", "bytes received, above TLS", "protocol")
	bytesOut       = counter("rtmp_sent_bytes_total", "bytes that the sockets took", "protocol")
	messagesIn     = counter("rtmp_received_messages_total", "audio, video and data messages of publishers", "protocol")
	messagesOut    = counter("rtmp_sent_messages_total", "messages of which players had their turn", "protocol")
	skipped        = counter("rtmp_skipped_messages_total", "messages that players missed because they were too slow", "protocol")
	skips          = counter("rtmp_skips_total", "how often a player was moved on to the newest keyframe", "protocol")
	lag            = histogram("rtmp_player_lag_seconds", "players of live channels by how far behind they are, at this moment: the counts go up and down")
	lagMax         = gauge("rtmp_player_lag_max_seconds", "the lag of the player that is furthest behind")
	channels       = gauge("rtmp_channels", "channels that are live, whose publisher is expected back (interrupted), or that players wait for", "state")
	stopsPending   = gauge("rtmp_callback_stops_pending", "stop events that the callback has not taken yet")
	redisConnected = gauge("rtmp_redis_connected", "1 if commands from Redis are heard")
	redisLost      = counter("rtmp_redis_disconnected_seconds_total", "for how long none could be heard")
	panics         = counter("rtmp_panics_total", "bugs that ended what was being done, a session or a request, and nothing else")
	logLost        = counter("rtmp_log_lines_lost_total", "lines of the log that its output did not take")
	warnings       = gauge("rtmp_stream_warnings", "live channels whose stream has this warning at present", "warning")
	used           = gauge("rtmp_budget_used", "how much of a budget is taken", "budget")
	limit          = gauge("rtmp_budget_limit", "how much of it there is, 0 for no bound", "budget")

	lookedUp = []*family{
		connections, accepted, sessions, bytesIn, bytesOut, messagesIn, messagesOut, skipped, skips, lag, lagMax,
		channels, stopsPending, redisConnected, redisLost, panics, logLost, warnings, used, limit,
	}
)

// The metrics of single channels, of at most maxChannels.
var (
	channelViewers   = gauge("rtmp_channel_viewers", "players of a live channel", "channel")
	channelBytes     = counter("rtmp_channel_received_bytes_total", "bytes of media since its publication began", "channel")
	channelBitrate   = gauge("rtmp_channel_bits_per_second", "its bitrate over the last 5 s", "channel")
	channelFrames    = gauge("rtmp_channel_frames_per_second", "its video frames over the last 5 s", "channel")
	channelKeyframes = gauge("rtmp_channel_keyframe_interval_seconds", "time between its last two keyframes", "channel")
	channelStalls    = counter("rtmp_channel_stalls_total", "how often its publisher sent no media for more than a second", "channel")
	channelJumps     = counter("rtmp_channel_timestamp_repairs_total", "how often its timestamps were mended", "channel")
	channelsLeftOut  = gauge("rtmp_channels_left_out", "live channels without series of their own, since there are more than 1,000")

	ofChannels = []*family{
		channelViewers, channelBytes, channelBitrate, channelFrames, channelKeyframes, channelStalls, channelJumps, channelsLeftOut,
	}
)
