package connerr

import (
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFailuresHaveTheNamesThatTheLogShows(t *testing.T) {
	for _, row := range []struct {
		err         error
		read, write stream.Reason
	}{
		{io.EOF, "closed by client", "write failed"},
		{io.ErrUnexpectedEOF, "closed by client", "write failed"},
		{io.ErrClosedPipe, "closed by client", "connection reset"},
		{syscall.ECONNRESET, "connection reset", "connection reset"},
		{syscall.EPIPE, "connection reset", "connection reset"},
		{syscall.ETIMEDOUT, "peer unreachable", "peer stopped reading"},
		{syscall.EHOSTUNREACH, "peer unreachable", "write failed"},
		{os.ErrDeadlineExceeded, "read failed", "peer stopped reading"},
		{net.ErrClosed, "read failed", "write failed"},
		{os.ErrInvalid, "read failed", "write failed"},
	} {
		err := fmt.Errorf("somewhere: %w", row.err)
		if got := ReadReason(err); got != row.read {
			t.Errorf("reading: %v is %q, want %q", row.err, got, row.read)
		}
		if got := WriteReason(err); got != row.write {
			t.Errorf("writing: %v is %q, want %q", row.err, got, row.write)
		}
	}
}
