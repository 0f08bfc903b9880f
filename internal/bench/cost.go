package bench

import (
	"fmt"
	"os"
	"time"
)

// cost is what some processes have used together.
type cost struct {
	cpu time.Duration
	rss int64
}

func costOf(pids []int) (cost, error) {
	var sum cost
	for _, pid := range pids {
		rss, err := memory(pid)
		if err != nil {
			return cost{}, fmt.Errorf("no memory of process %d: %w", pid, err)
		}
		cpu, err := cpuTime(pid)
		if err != nil {
			return cost{}, fmt.Errorf("no processor time of process %d: %w", pid, err)
		}
		sum.cpu += cpu
		sum.rss += rss
	}
	return sum, nil
}

func ownCost() (cost, error) { return costOf([]int{os.Getpid()}) }
