package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// events tells listeners of the state once a second, and of each end. An event is
// encoded once for all of them, and none while nobody listens.
type events struct {
	state func() any

	mu        sync.Mutex // guards what follows
	listeners map[chan []byte]struct{}
	latest    []byte        // state, for those who join
	stop      chan struct{} // ends what tells of the state; nil while nobody listens
}

// join returns where a listener gets its events: the state first. It is closed when
// the listener was too slow. There is none if there are too many already.
func (e *events) join() (listener chan []byte, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listeners) >= maxListeners {
		return nil, false
	}
	listener = make(chan []byte, maxPending)
	if e.stop == nil {
		e.listeners = make(map[chan []byte]struct{})
		e.stop = make(chan struct{})
		go e.tell(e.stop)
	}
	if e.latest != nil {
		listener <- e.latest
	}
	e.listeners[listener] = struct{}{}
	return listener, true
}

func (e *events) leave(listener chan []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remove(listener)
}

// remove is called with the lock held.
func (e *events) remove(listener chan []byte) {
	delete(e.listeners, listener)
	if len(e.listeners) == 0 && e.stop != nil {
		close(e.stop)
		e.stop, e.latest = nil, nil
	}
}

// tell runs for as long as somebody listens.
func (e *events) tell(stop chan struct{}) {
	ticker := time.NewTicker(stateInterval)
	defer ticker.Stop()
	for {
		event := encodeEvent("state", e.state())
		e.mu.Lock()
		if e.stop == stop {
			e.latest = event
			e.send(event)
		}
		e.mu.Unlock()
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
	}
}

// ended tells of an end, if there is anybody to tell.
func (e *events) ended(end End) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listeners) > 0 {
		e.send(encodeEvent("end", end))
	}
}

// send is called with the lock held.
func (e *events) send(event []byte) {
	for listener := range e.listeners {
		select {
		case listener <- event:
		default:
			e.remove(listener)
			close(listener)
		}
	}
}

// encodeEvent lays an event out as the HTML standard, section 9.2.6, has it. JSON
// has no line breaks.
func encodeEvent(name string, value any) []byte {
	body, err := json.Marshal(value)
	if err != nil {
		return nil // an event of no bytes is none
	}
	var b bytes.Buffer
	b.WriteString("event: ")
	b.WriteString(name)
	b.WriteString("\ndata: ")
	b.Write(body)
	b.WriteString("\n\n")
	return b.Bytes()
}

// serveEvents is a request that listens until it or the server ends.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		return
	}
	listener, ok := s.events.join()
	if !ok {
		fail(w, http.StatusServiceUnavailable, "There are too many listeners.")
		return
	}
	defer s.events.leave(listener)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // it would end the request
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		select {
		case <-r.Context().Done():
			return
		case event, ok := <-listener:
			if !ok {
				return
			}
			_ = control.SetWriteDeadline(time.Now().Add(eventTimeout))
			if _, err := w.Write(event); err != nil || control.Flush() != nil {
				return
			}
		}
	}
}
