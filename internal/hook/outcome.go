package hook

import "errors"

// Event is what the backend is told of.
type Event string

// The events.
const (
	Start Event = eventStart
	Stop  Event = eventStop
)

// Events returns all of them.
func Events() []Event { return []Event{Start, Stop} }

// Outcome is what came of an event.
type Outcome string

// The outcomes. The last two are those of starts only.
const (
	Accepted Outcome = "accepted"
	// Refused is an answer other than that; of a stop it is final.
	Refused Outcome = "refused"
	// Failed is no answer, or no place in the journal.
	Failed Outcome = "failed"
	// Shed says that the backend was not asked, to spare it.
	Shed Outcome = "shed"
	// Gone says that the publisher, or the server, did not wait for the answer.
	Gone Outcome = "gone"
)

// Outcomes returns all of them.
func Outcomes() []Outcome { return []Outcome{Accepted, Refused, Failed, Shed, Gone} }

// outcomeOf sorts what [Hook.Start] returned.
func outcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return Accepted
	case errors.Is(err, ErrRefused), errors.Is(err, ErrBadReply):
		return Refused
	case errors.Is(err, ErrOverloaded), errors.Is(err, ErrCircuitOpen):
		return Shed
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrJournal):
		return Failed
	default:
		return Gone
	}
}
