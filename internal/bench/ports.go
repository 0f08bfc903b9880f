package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

const (
	// portRange is where Linux says which local ports it gives to connections.
	portRange = "/proc/sys/net/ipv4/ip_local_port_range"
	// usualPorts is how many those are until somebody says otherwise.
	usualPorts = 60_999 - 32_768 + 1
)

// localPorts returns how many connections to one address there can be.
func localPorts() int {
	text, err := os.ReadFile(portRange)
	if err != nil {
		return usualPorts // no Linux, or one without /proc
	}
	return countPorts(string(text))
}

// countPorts returns how many ports there are in a range as the kernel writes it.
func countPorts(text string) int {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return usualPorts
	}
	first, err1 := strconv.ParseUint(fields[0], 10, 16)
	last, err2 := strconv.ParseUint(fields[1], 10, 16)
	if err1 != nil || err2 != nil || last < first {
		return usualPorts
	}
	return int(last-first) + 1
}

// checkPorts tells whether there are local ports for all connections of the run.
func (o Options) checkPorts(ports int) error {
	if n := o.connections(); n > ports {
		return fmt.Errorf("%d connections to one address are more than the %d local ports for them: "+
			"widen net.ipv4.ip_local_port_range, or ask for fewer", n, ports)
	}
	return nil
}
