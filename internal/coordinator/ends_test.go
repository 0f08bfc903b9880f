package coordinator

import (
	"fmt"
	"strconv"
	"testing"
)

func (q *ends) ids() string {
	var ids []string
	for _, e := range q.list {
		ids = append(ids, e.streamID)
	}
	return fmt.Sprint(ids)
}

func TestEndsStayUntilConfirmed(t *testing.T) {
	var q ends
	for i := range 4 {
		q.push(end{"ch", strconv.Itoa(i)})
	}
	for i := range uint64(3) {
		e, number, ok := q.next()
		if !ok || number != i || e.streamID != strconv.Itoa(int(i)) {
			t.Fatalf("next is %v, %d, %v", e, number, ok)
		}
		q.wrote(number)
	}
	q.drop(2)
	if q.ids() != "[2 3]" {
		t.Errorf("after the confirmation of two: %s", q.ids())
	}
	q.rewind()
	if e, number, ok := q.next(); !ok || number != 2 || e.streamID != "2" {
		t.Errorf("on the next connection: %v, %d, %v", e, number, ok)
	}
	q.drop(1) // confirmed long ago
	q.drop(99)
	if _, _, ok := q.next(); ok || q.ids() != "[]" {
		t.Errorf("after all: %s", q.ids())
	}
	q.push(end{"ch", "4"})
	if e, number, ok := q.next(); !ok || number != 4 || e.streamID != "4" {
		t.Errorf("then: %v, %d, %v", e, number, ok)
	}
}

func TestFullQueueDropsTheOldest(t *testing.T) {
	var q ends
	for i := range maxEnds {
		q.push(end{"ch", strconv.Itoa(i)})
	}
	_, number, _ := q.next()
	q.push(end{"ch", "new"}) // while number 0 is being written
	q.wrote(number)
	if e, _, _ := q.next(); len(q.list) != maxEnds || q.lost != 1 || e.streamID != "1" {
		t.Errorf("%d waiting, %d lost, next is %v", len(q.list), q.lost, e)
	}
	q.wrote(1)
	q.push(end{"ch", "newer"}) // number 1 was written at least
	if e, _, _ := q.next(); len(q.list) != maxEnds || q.lost != 1 || e.streamID != "2" {
		t.Errorf("%d waiting, %d lost, next is %v", len(q.list), q.lost, e)
	}
}
