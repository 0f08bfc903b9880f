package soak

import "github.com/AgustinSRG/rtmp-server/test/stage"

const canaryKey = "canary-key"

// startCanary starts a stream whose two players may miss nothing, whatever else
// happens.
func startCanary(s *soak) *stage.Canary {
	s.Helper()
	stays := func(secure bool, start func(g *guest, channel, key string) error) *stage.Client {
		g, err := s.stays(secure)
		if err == nil {
			err = start(g, stage.CanaryChannel, canaryKey)
		}
		if err != nil {
			s.Fatal(err)
		}
		return &stage.Client{Client: g.Client, T: s.T, Conn: g.conn, Stream: g.stream}
	}
	c := &stage.Canary{
		Players: []*stage.CanaryPlayer{
			{Name: "plain", Client: stays(false, (*guest).play)}, {Name: "TLS", Client: stays(true, (*guest).play)},
		},
		Publisher: stays(false, (*guest).publish),
		Forgives:  machineIsPressed,
	}
	c.Start()
	return c
}
