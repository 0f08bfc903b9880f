package server

import "github.com/AgustinSRG/rtmp-server/internal/rtmp"

const (
	// chatterRate and chatterBurst bound the control messages and commands of a peer per
	// second. They stop floods of pings, of pause and receiveVideo, of createStream
	// and of calls, each of which costs more than media. Encoders and players say
	// ten to twenty things at the start, and then hardly any.
	chatterRate, chatterBurst = 20, 100
	// freeAckBytes is how many bytes sent to the peer entitle it to an
	// acknowledgement. Windows are megabytes, but librtmp acknowledges each tenth
	// of one, and viewers of many megabits do that more often than chatterRate.
	freeAckBytes = 64 << 10
	// maxStrange is how many messages of types that nobody uses a peer may send.
	// They are dropped, and only somebody who looks for a weakness sends many.
	maxStrange = 100
)

var chatterBudget = perSecond(chatterRate, chatterBurst)

// chatter is what a connection has said beside media.
type chatter struct {
	bucket bucket
	// acks counts the acknowledgements that the peer was entitled to, and strange
	// the messages of types that nobody uses.
	acks, strange uint64
}

// chargeChatter takes a message that is not media out of the budget for them.
func (c *conn) chargeChatter(m rtmp.Message) error {
	if m.Type == rtmp.TypeAcknowledgement && c.chatter.acks < c.out.written.Load()/freeAckBytes {
		c.chatter.acks++
		return nil
	}
	if !c.chatter.bucket.take(c.readAt, chatterBudget) {
		return &refusal{reason: ReasonChatter}
	}
	return nil
}

// ignoreStrange drops a message of a type that nobody uses.
func (c *conn) ignoreStrange() error {
	c.ignored++
	if c.chatter.strange++; c.chatter.strange > maxStrange {
		return &refusal{reason: ReasonStrange}
	}
	return nil
}
