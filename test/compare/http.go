package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/bench"
)

// httpPlayers is how many viewers each way is measured with.
const httpPlayers = 300

// webSchemes are the ways over which our server is played beside RTMP.
var webSchemes = []string{"http", "ws", "https", "wss"}

func oursBy(scheme string) string { return ours + ", " + scheme }

// ourWebServer is rtmp-server, played by one of webSchemes.
func ourWebServer(scheme string) contender {
	return contender{name: oursBy(scheme), scheme: scheme, path: oursPath + ".flv",
		command: func(p places, dir string, port int) (command, error) {
			publish, err := freePort(context.Background())
			if err != nil {
				return command{}, err
			}
			env := append(ourSettings("RTMP_PORT", publish), "SSL_PORT=0")
			if scheme == "http" || scheme == "ws" {
				env = append(env, "HTTP_PORT="+strconv.Itoa(port))
			} else {
				cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
				if err := writeCertificate(cert, key); err != nil {
					return command{}, err
				}
				env = append(env, "HTTPS_PORT="+strconv.Itoa(port), "SSL_CERT="+cert, "SSL_KEY="+key)
			}
			return command{args: []string{p.server()}, env: env, publish: publish}, nil
		}}
}

// http compares viewers over HTTP and WebSocket with those of RTMP, whose stream
// comes in the same way: from a generator of its own.
func (c *comparison) http(ctx context.Context) error {
	servers := []contender{ourServer(ours)}
	for _, scheme := range webSchemes {
		servers = append(servers, ourWebServer(scheme))
	}
	for round := 1; round <= c.options.rounds; round++ {
		for _, server := range servers {
			r := result{Step: stepHTTP, Round: round, Contender: server.name, Players: httpPlayers}
			started := time.Now()
			report, err := c.watched(ctx, server, load{players: httpPlayers})
			if err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				r.Failure = err.Error()
			}
			r.Report = report
			c.add(r, time.Since(started))
		}
	}
	return nil
}

// watched measures players of a stream that another generator publishes by RTMP.
func (c *comparison) watched(ctx context.Context, server contender, l load) (*bench.Report, error) {
	s, err := c.places.start(ctx, server)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	publishing, stop := context.WithCancel(ctx)
	defer stop()
	url := ourServer(ours).url(s.publish)
	encoder := pinned(publishing, generatorCore, append([]string{c.places.server(), "bench"},
		load{publishers: 1}.arguments(s.pid(), time.Hour, url)...)...)
	encoder.Dir = c.places.temporary
	if err := encoder.Start(); err != nil {
		return nil, fmt.Errorf("start the encoder: %w", err)
	}
	defer func() { stop(); _ = encoder.Wait() }() // it is ended by a signal
	got, err := c.generate(ctx, s.pid(), server.url(s.port), l)
	if err != nil {
		return nil, errors.Join(err, errors.New(s.lastWords()))
	}
	return got, nil
}

func httpOf(name string) selection { return selection{stepHTTP, "", name, httpPlayers} }

func httpTable(results []result) *table {
	t := &table{
		title: fmt.Sprintf("HTTP and WebSocket: %d viewers of one stream", httpPlayers),
		note: "CPU seconds per GB sent and ratios to RTMP of the same round are minimum / median / maximum of the rounds; the rest are " +
			"medians. The stream comes by RTMP, from a generator of its own.",
		columns: []string{
			"by", "CPU s/GB", "x RTMP", "latency p50 ms", "p99 ms", "batch ms", "delivered %", "CPU µs per player and s", "generator CPU %", "",
		},
	}
	for _, s := range kinds(results, stepHTTP) {
		t.add(append([]string{
			s.contender, spreadOf(values(results, s, perGB)).String(), spreadOf(ratios(results, s, httpOf(ours), perGB)).String(),
		}, append(medians(results, s, latencyP50, latencyP99, batchMS, percentDelivered, perPlayer, generatorCPU),
			trouble(results, s))...)...)
	}
	return t
}
