package scenarios

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/cockroachdb/datadriven"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
)

// peer is a client of the server that says what the scenario has it say, and
// notes everything it hears.
type peer struct {
	conn      *rtmptest.Conn
	chunkSize int
	outgoing  chan []byte
	gone      chan struct{}
	once      sync.Once

	mu    sync.Mutex
	cond  *sync.Cond
	lines []string
	stall bool
}

func newPeer(conn *rtmptest.Conn, handshake bool) *peer {
	p := &peer{
		conn:      conn,
		chunkSize: rtmp.DefaultChunkSize,
		outgoing:  make(chan []byte, 1000),
		gone:      make(chan struct{}),
	}
	p.cond = sync.NewCond(&p.mu)
	go p.write()
	go p.read(handshake)
	return p
}

func (p *peer) run(d *datadriven.TestData) error {
	switch d.Cmd {
	case "send":
		return p.send(strings.Repeat(d.Input+"\n", number(d, "times", 1)))
	case "raw":
		b, err := rtmptest.ParseHex(d.Input)
		p.outgoing <- b
		return err
	case "stall":
		p.setStall(true)
	case "resume":
		p.setStall(false)
	case "close":
		p.hangUp()
	case "half-close":
		return p.conn.CloseWrite()
	default:
		return errors.New("unknown step")
	}
	return nil
}

func (p *peer) send(input string) error {
	var wire []byte
	for line := range strings.Lines(input) {
		m, err := rtmptest.ParseMessage(line)
		if err != nil {
			return err
		}
		wire = rtmp.AppendMessage(wire, m, p.chunkSize)
		if size, err := rtmp.ParseUint32(m); err == nil && m.Type == rtmp.TypeSetChunkSize {
			p.chunkSize = max(1, int(size))
		}
	}
	p.outgoing <- wire
	return nil
}

func (p *peer) hangUp() {
	p.setStall(false)
	p.once.Do(func() { close(p.gone) })
	_ = p.conn.Close()
}

func (p *peer) setStall(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall = on
	p.cond.Broadcast()
}

func (p *peer) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := p.lines
	p.lines = nil
	return lines
}

func (p *peer) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
}

// write sends in the background: the server may not be reading.
func (p *peer) write() {
	for {
		select {
		case b := <-p.outgoing:
			if _, err := p.conn.Write(b); err != nil {
				return
			}
		case <-p.gone:
			return
		}
	}
}

// Read lets the peer stall: the server's writes then wait.
func (p *peer) Read(b []byte) (int, error) {
	p.mu.Lock()
	for p.stall {
		p.cond.Wait()
	}
	p.mu.Unlock()
	return p.conn.Read(b)
}

// handshakeWriter queues what the handshake writes with everything else.
type handshakeWriter struct{ p *peer }

func (w handshakeWriter) Write(b []byte) (int, error) {
	w.p.outgoing <- append([]byte(nil), b...)
	return len(b), nil
}

func (p *peer) read(handshake bool) {
	buffered := bufio.NewReader(p)
	if handshake {
		o := rtmp.HandshakeOptions{Random: zeros{}}
		if _, err := rtmp.DialHandshake(buffered, handshakeWriter{p}, rtmp.SchemeSimple, o); err != nil {
			p.note("handshake failed")
			return
		}
	}
	reader := rtmp.NewReader(buffered, rtmp.AcceptedLimits)
	for {
		m, err := reader.ReadMessage()
		switch {
		case errors.Is(err, io.EOF):
			p.note("closed")
			return
		case errors.Is(err, io.ErrClosedPipe):
			return // by the scenario
		case err != nil:
			p.note(fmt.Sprintf("broken: %v", err))
			return
		}
		p.note(rtmptest.FormatMessage(m))
	}
}

// zeros makes handshakes the same in every run.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
