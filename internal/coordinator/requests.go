package coordinator

import (
	"crypto/rand"
	"slices"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

const (
	// maxWaiting bounds the requests that wait for an answer at the same time.
	// It keeps a flood of publishers from burying the coordinator; those above
	// it are refused.
	maxWaiting = 64
	// maxAbandoned bounds the requests that nobody waits for any more and whose
	// late acceptance is still recognised. It stops clients that ask and leave.
	maxAbandoned = 4096
	// maxTold bounds the keys that are remembered to be struck out of what the
	// coordinator says. It keeps a flood of publishers from filling the memory,
	// and each line for the log from costing a search for thousands.
	maxTold = 256
)

// request is a client that wants to publish, from Start to the answer.
type request struct {
	access.Request
	id string
	// sent says that the coordinator may know of it.
	sent bool
	// answer takes one value, without blocking.
	answer chan answer
}

// answer is what became of a request.
type answer struct {
	streamID string
	err      error
}

func (r *request) frame() frame {
	return frame{methodRequest, []field{
		{fieldRequest, r.id}, {fieldChannel, r.Channel}, {fieldKey, r.Key}, {fieldUserIP, r.Client.Unmap().String()},
	}}
}

// requests are those without an answer. Each is either waiting, or abandoned:
// sent, and given up by who made it.
type requests struct {
	waiting map[string]*request
	unsent  []*request // some of waiting, in the order they came

	abandoned map[string]string // the channel, by request id
	oldest    []string          // ids of abandoned ones, and of some no longer there

	// told are the keys that the coordinator heard last, oldest first. It may
	// echo one long after its answer.
	told []string
}

func newRequests() requests {
	return requests{waiting: make(map[string]*request), abandoned: make(map[string]string)}
}

func (q *requests) add(r access.Request) (*request, error) {
	if len(q.waiting) >= maxWaiting {
		return nil, ErrBusy
	}
	added := &request{Request: r, id: rand.Text(), answer: make(chan answer, 1)}
	q.waiting[added.id] = added
	q.unsent = append(q.unsent, added)
	return added, nil
}

// next takes the request to send next, and takes it as sent.
func (q *requests) next() *request {
	if len(q.unsent) == 0 {
		return nil
	}
	r := q.unsent[0]
	q.unsent = q.unsent[1:]
	r.sent = true
	q.tell(r.Key)
	return r
}

// tell remembers a key as one that the coordinator knows, once.
func (q *requests) tell(key string) {
	q.told = slices.DeleteFunc(q.told, func(other string) bool { return other == key })
	if len(q.told) == maxTold {
		q.told = slices.Delete(q.told, 0, 1)
	}
	q.told = append(q.told, key)
}

// giveUp ends the wait for an answer, unless there is one.
func (q *requests) giveUp(r *request) (ok bool) {
	if q.waiting[r.id] == nil {
		return false
	}
	delete(q.waiting, r.id)
	if !r.sent {
		q.unsent = slices.DeleteFunc(q.unsent, func(other *request) bool { return other == r })
		return true
	}
	q.abandoned[r.id] = r.Channel
	if q.oldest = append(q.oldest, r.id); len(q.oldest) > maxAbandoned {
		delete(q.abandoned, q.oldest[0])
		q.oldest = q.oldest[1:]
	}
	return true
}

// resolve takes the coordinator's answer to the request id. If nobody waits for
// it, abandoned is the channel that it was for, empty for an unknown request.
func (q *requests) resolve(id string, a answer) (abandoned string) {
	if r := q.waiting[id]; r != nil && r.sent {
		delete(q.waiting, id)
		r.answer <- a
		return ""
	}
	abandoned = q.abandoned[id]
	delete(q.abandoned, id)
	return abandoned
}

// failAll answers every waiting request with err.
func (q *requests) failAll(err error) {
	for _, r := range q.waiting {
		q.giveUp(r)
		r.answer <- answer{err: err}
	}
}
