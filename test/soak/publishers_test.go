package soak

import (
	"errors"
	"fmt"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// The channels that come and go. There are so few that publishers meet.
const (
	churnChannels = 60
	churnKey      = "churn-key"
	churnEvery    = 20 * time.Millisecond
)

func (v *visit) churnName() string { return churnName(v.random.IntN(churnChannels)) }

func churnName(n int) string { return fmt.Sprintf("churn-%d", n) }

// frames sends n messages of video. It returns early when the connection has ended.
func (v *visit) frames(g *guest, n int) {
	for i := range n {
		m := stage.NumberedMessage(g.stream, i)
		if g.WriteMessage(m) != nil || !stage.Pause(v.ctx, churnEvery) {
			return
		}
	}
}

// refusal is what became of a publication that was not let in. Anything but a
// refusal is an error.
func refusal(err error) (string, error) {
	if refused := new(rtmp.StatusError); errors.As(err, &refused) {
		return "refused: " + refused.Status.Code, nil
	}
	return "", err
}

// cutOff is what became of a session on a channel that orders close at any time:
// anything but a refusal is in order.
func cutOff(err error) (string, error) {
	if refused := new(rtmp.StatusError); errors.As(err, &refused) {
		return "", err
	}
	return "closed", nil
}

// encode publishes one of the channels that come and go. Who is there already keeps
// it, and an order may close it at any time.
func (v *visit) encode(secure bool) (string, error) {
	g, err := v.arrive(secure)
	if err != nil {
		return "", err
	}
	if err := g.publish(v.churnName(), churnKey); err != nil {
		if outcome, err := refusal(err); err == nil {
			return outcome, nil
		}
		return cutOff(err)
	}
	v.listen(g)
	v.frames(g, 10+v.random.IntN(140))
	v.leave(g)
	return "published", nil
}

// comeBack publishes, loses its connection, and publishes again within the time for
// which its player is left in peace.
func (v *visit) comeBack() (string, error) {
	channel := fmt.Sprintf("back-%d", v.number)
	player, err := v.arrive(false)
	if err == nil {
		err = player.play(channel, churnKey)
	}
	if err != nil {
		return "", err
	}
	v.listen(player)
	for range 2 {
		g, err := v.arrive(false)
		if err != nil {
			return "", err
		}
		if err := g.publish(channel, churnKey); err != nil {
			return refusal(err)
		}
		v.listen(g)
		v.frames(g, 10+v.random.IntN(40))
		_ = g.conn.SetLinger(0)
		_ = g.conn.Close()
		v.stay(50*time.Millisecond, 600*time.Millisecond)
	}
	return "came back", nil
}

// takeOver publishes and falls silent, until another connection takes its place.
func (v *visit) takeOver() (string, error) {
	const silence = 2500 * time.Millisecond // the server calls 2 s idle
	channel := fmt.Sprintf("take-%d", v.number)
	first, err := v.arrive(false)
	if err != nil {
		return "", err
	}
	if err := first.publish(channel, churnKey); err != nil {
		return refusal(err)
	}
	v.frames(first, 10)
	stage.Pause(v.ctx, silence)
	second, err := v.arrive(v.random.IntN(3) == 0)
	if err != nil {
		return "", err
	}
	if err := second.publish(channel, churnKey); err != nil {
		return refusal(err)
	}
	if err := outlived(first.conn, 2*stage.Soon); err != nil {
		return "", fmt.Errorf("who was replaced is %w", err)
	}
	v.listen(second)
	v.frames(second, 10)
	v.leave(second)
	return "replaced", nil
}
