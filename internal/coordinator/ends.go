package coordinator

// maxEnds bounds the ended streams that wait for the coordinator. It stops
// clients that publish and leave while it is away from filling the memory.
const maxEnds = 10_000

// end is a stream whose end the coordinator has to hear of.
type end struct{ channel, streamID string }

func (e end) frame() frame {
	return frame{methodEnd, []field{{fieldChannel, e.channel}, {fieldStream, e.streamID}}}
}

// ends is the queue of ended streams. One stays in it until it is confirmed:
// what was written to a socket may never have been read. Ends are numbered from
// 0 in the order they came.
type ends struct {
	list []end
	// first is the number of list[0]; those before written were written to the
	// present connection.
	first, written uint64
	// lost counts those that the bound cost.
	lost int
}

func (q *ends) push(e end) {
	if len(q.list) == maxEnds {
		if q.first >= q.written {
			q.lost++
		}
		q.drop(q.first + 1)
	}
	q.list = append(q.list, e)
}

// next returns the first one that was not written yet, and its number.
func (q *ends) next() (e end, number uint64, ok bool) {
	i := q.written - q.first
	if i >= uint64(len(q.list)) {
		return end{}, 0, false
	}
	return q.list[i], q.written, true
}

// wrote says that all up to that number were written.
func (q *ends) wrote(number uint64) { q.written = max(q.written, number+1) }

// drop forgets all before that number.
func (q *ends) drop(before uint64) {
	n := min(max(before, q.first)-q.first, uint64(len(q.list)))
	q.list = q.list[n:]
	q.first += n
	q.written = max(q.written, q.first)
}

// rewind makes those that were not confirmed wait for the next connection.
func (q *ends) rewind() { q.written = q.first }
