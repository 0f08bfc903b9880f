// Package hook asks the operator's backend who may publish, and tells it when a publication has ended.
//
// Both are events: POST requests without a body to one URL, whose rtmp-event header carries a signed token (HS256) that
// says what happened. The token is valid for two minutes and each has an identity (jti) of its own.
//
// # Start
//
// [Hook.Start] accepts a publisher only when the backend answers with status 200 and one stream-id header of 1 to 256
// letters, digits, dashes and underscores. Everything else refuses: other statuses, redirects (which are not followed, so that
// the token never goes anywhere else), timeouts, broken connections, full queues. The errors tell the cases apart with
// errors.Is; their texts hold neither key, token, secret nor URL, nor anything that the backend sent but its status.
//
// A backend that fails five times in a row gets no more than one request every two seconds until it answers again, and
// publishers are refused at once meanwhile. A status below 500 is an answer and no failure.
//
// # Stop
//
// Each start that the backend accepted is followed by a stop event, delivered at least once. A stop is over when
// the backend answers with any 2xx status, and also with a 4xx status other than 408 and 429, which is logged: asking again
// would not change its mind. Everything else, redirects included, is tried again after pauses that grow from
// a second to a minute, for as long as the process lives. The backend tells repetitions by the stream id, because the token
// of each attempt is a new one.
//
// A publisher may be gone before its start is answered. The request is not cut then, because a backend that has read it
// may have issued an id that nobody would ever hear of: the answer is awaited, and if it accepts, the stop
// follows at once. Two cases remain in which a backend knows of a start that has no stop, as nobody knows the id: its
// answer was lost or came later than five seconds, or it was unusable.
//
// # Journal
//
// With a state directory, stops outlive the process. The file stops.journal gets a record of each accepted start, on disk (fsync)
// before Start returns, and one of each stop that is over, synced with the next start or not at all: a crash may repeat a
// stop and never lose one. A start that cannot be recorded is refused, and stopped. When [New] finds sessions that started and
// did not stop, they died with the last process, and their stops are queued. Records carry checksums; what cannot be read is skipped. The
// stop token needs the stream key, so the journal holds keys in clear text: it is readable by its owner only (mode 0600).
// A lock keeps a second process away from the directory.
package hook
