package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// balance is how a load balancer begins a connection on behalf of a client.
type balance func(client netip.AddrPort) string

func proxyV1(client netip.AddrPort) string {
	family, server := "TCP4", "192.0.2.1"
	if client.Addr().Is6() {
		family, server = "TCP6", "2001:db8::1"
	}
	return fmt.Sprintf("PROXY %s %s %s %d 1935\r\n", family, client.Addr(), server, client.Port())
}

func proxyV2(client netip.AddrPort) string {
	const signature, proxy = "\r\n\r\n\x00\r\nQUIT\n", "\x21"
	family, server := "\x11", netip.MustParseAddr("192.0.2.1")
	if client.Addr().Is6() {
		family, server = "\x21", netip.MustParseAddr("2001:db8::1")
	}
	addresses := append(client.Addr().AsSlice(), server.AsSlice()...)
	ports := []byte{byte(client.Port() >> 8), byte(client.Port()), 0x07, 0x8f}
	tlv := []byte{0x04, 0, 2, 'n', 'o'} // NOOP, as HAProxy pads with
	length := byte(len(addresses) + len(ports) + len(tlv))
	return signature + proxy + family + string([]byte{0, length}) + string(addresses) + string(ports) + string(tlv)
}

var proxyVersions = map[string]balance{"version 1": proxyV1, "version 2": proxyV2}

// dialBalanced connects as a load balancer does for a client.
func dialBalanced(t *testing.T, addr string, header string, secure bool) (*stage.Client, error) {
	t.Helper()
	return stage.DialThrough(t, addr, func(conn *net.TCPConn) (io.ReadWriter, error) {
		_, err := io.WriteString(conn, header)
		if !secure {
			return conn, err
		}
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true}), err
	})
}

func TestBalancedClientsHaveTheirOwnAddress(t *testing.T) {
	t.Parallel()
	pair := stage.NewIssuer(t).Issue(t, t.TempDir())
	s := stage.Start(t, append(pair.Settings(), "PROXY_PROTOCOL_FROM=127.0.0.0/8", "MAX_IP_CONCURRENT_CONNECTIONS=1",
		"RTMP_PLAY_WHITELIST=198.51.100.0/24,2001:db8::/32")...)
	ports := map[string]string{"RTMP": s.Addr, "RTMPS": s.SecureAddr()}
	host := byte(0)
	for version, header := range proxyVersions {
		for protocol, addr := range ports {
			host++
			for _, client := range []netip.AddrPort{
				netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, host}), 4242),
				netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:0:%d::7]:4242", host)),
			} {
				t.Run(fmt.Sprint(version, " ", protocol, " ", client), func(t *testing.T) {
					secure := protocol == "RTMPS"
					first, err := dialBalanced(t, addr, header(client), secure)
					if err != nil {
						t.Fatal(err)
					}
					if err := first.Start("channel", "key", stage.Watching); err != nil {
						t.Errorf("a client on the play whitelist: %v", err)
					}
					s.AwaitLine("msg=play", " addr="+client.String()+" ")

					start := time.Now()
					if _, err := dialBalanced(t, addr, header(client), secure); err == nil {
						t.Error("a second connection of the same client was accepted")
					}
					if took := time.Since(start); took > time.Second {
						t.Errorf("the refusal took %v", took)
					}
				})
			}
			t.Run(fmt.Sprint(version, " ", protocol, " not on the play whitelist"), func(t *testing.T) {
				client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, host}), 4242)
				c, err := dialBalanced(t, addr, header(client), protocol == "RTMPS")
				if err != nil {
					t.Fatal(err)
				}
				stage.CheckRefused(t, c, c.Start("channel", "key", stage.Watching), rtmp.CodePlayFailed)
				s.AwaitLine("msg=end", " addr="+client.String()+" ", `reason="play denied"`)
			})
		}
	}
	t.Run("no header", func(t *testing.T) {
		c, err := dialBalanced(t, s.Addr, "", false)
		if err != nil {
			t.Fatal(err)
		}
		stage.CheckRefused(t, c, c.Start("channel", "key", stage.Watching), rtmp.CodePlayFailed) // the balancer is not on the list
		s.AwaitLine("msg=end", " addr="+c.Conn.LocalAddr().String()+" ", `reason="play denied"`)
	})
}

// Without the setting, or from an address that is not in it, a header is no
// RTMP, and claims nothing.
func TestProxyHeadersOfStrangersAreRefused(t *testing.T) {
	t.Parallel()
	for _, trusted := range []string{"", "192.0.2.0/24"} {
		s := stage.Start(t, "PROXY_PROTOCOL_FROM="+trusted, "LOG_DEBUG=YES")
		claimed := netip.MustParseAddrPort("198.51.100.7:4242")
		refused := 0
		for version, header := range proxyVersions {
			refused++
			if _, err := dialBalanced(t, s.Addr, header(claimed), false); err == nil {
				t.Errorf("%s, %q trusted: a stranger's header was accepted", version, trusted)
				continue
			}
			s.AwaitLines(refused, stage.Soon, "level=DEBUG msg=end", `reason="not RTMP"`)
			for _, line := range s.Log.All() {
				if stage.Holds(line, []string{claimed.Addr().String()}) {
					t.Errorf("%s, %q trusted: %s", version, trusted, line)
				}
			}
		}
	}
}
