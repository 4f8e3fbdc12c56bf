package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	keyCount = 1024
	batch    = 100
	batches  = 12
	// The number of the first batch: twelve from here on spread evenly over three shards.
	firstBatch  = 18
	valueLength = 64
	// How many latencies all callers together keep.
	latencyBudget = 4_000_000
	patience      = 30 * time.Second
)

// The line that is printed.
type result struct {
	Version           string  `json:"version"`
	Runtime           string  `json:"runtime"`
	Commands          int64   `json:"commands"`
	Seconds           float64 `json:"seconds"`
	CPUMicros         float64 `json:"cpu_us"`
	P50               float64 `json:"p50_us"`
	P99               float64 `json:"p99_us"`
	Missed            int64   `json:"missed"`
	ConnectionsOpened *int64  `json:"connections_opened"`
	Failed            int64   `json:"failed"`
	FirstFailure      *string `json:"first_failure"`
}

// One caller's work. Only it writes its counters while it works.
type caller struct {
	client    client
	keys      []string
	batch     int
	next      int
	calls     atomic.Int64
	failed    int64
	failure   error
	latencies []uint32
	missed    int64
	_         [64]byte
}

// What the callers are told.
var measuring, done atomic.Bool

// Reads one value, or one batch of them. Strides visit all keys in an order without a pattern.
func (c *caller) call() error {
	at := c.next * c.batch
	c.next = (c.next + 617) % (len(c.keys) / c.batch)
	var length int
	var err error
	if c.batch == 1 {
		length, err = c.client.get(c.keys[at])
	} else {
		length, err = c.client.getAll(c.keys[at : at+c.batch])
	}
	if err == nil && length != valueLength*c.batch {
		err = fmt.Errorf("%d bytes in place of %d", length, valueLength*c.batch)
	}
	return err
}

func (c *caller) work(first *sync.WaitGroup) {
	report := sync.OnceFunc(first.Done)
	began := time.Now()
	for !done.Load() {
		err := c.call()
		ended := time.Now()
		if err != nil {
			c.failed++
			c.failure = err
		} else {
			c.calls.Store(c.calls.Load() + 1)
			if measuring.Load() {
				c.keep(ended.Sub(began))
			}
		}
		began = ended
		report()
	}
}

func (c *caller) keep(latency time.Duration) {
	if len(c.latencies) == cap(c.latencies) {
		c.missed++
		return
	}
	c.latencies = append(c.latencies, uint32(latency.Nanoseconds()/100))
}

func measure(client client, options *options) error {
	keys, size, err := keysOf(options.workload)
	if err != nil {
		return err
	}
	callers := make([]*caller, options.callers)
	var first, all sync.WaitGroup
	first.Add(options.callers)
	for n := range callers {
		callers[n] = &caller{client: client, keys: keys, batch: size, next: n * 7 % (len(keys) / size),
			latencies: make([]uint32, 0, latencyBudget/options.callers)}
		all.Go(func() { callers[n].work(&first) })
	}
	first.Wait()
	time.Sleep(seconds(options.warmUp))
	measuring.Store(true)
	opened := client.connectionsOpened()
	calls, began, used := total(callers), time.Now(), processorTime()
	time.Sleep(seconds(options.window))
	calls, took, used := total(callers)-calls, time.Since(began), processorTime()-used
	measuring.Store(false)
	if opened != nil {
		*opened = *client.connectionsOpened() - *opened
	}
	done.Store(true)
	// A caller that is stuck is a failure of its own, and nothing to wait for.
	time.AfterFunc(patience, func() {
		fmt.Fprintln(os.Stderr, "a call did not end")
		os.Exit(1)
	})
	all.Wait()
	return report(callers, result{Version: client.version(), Runtime: runtime.Version(), Commands: calls * int64(size),
		Seconds: took.Seconds(), CPUMicros: used.Seconds() * 1e6, ConnectionsOpened: opened})
}

// Adds what the callers kept, and prints the line.
func report(callers []*caller, line result) error {
	var latencies []uint32
	for _, caller := range callers {
		latencies = append(latencies, caller.latencies...)
		line.Missed += caller.missed
		line.Failed += caller.failed
		if caller.failure != nil && line.FirstFailure == nil {
			text := caller.failure.Error()
			line.FirstFailure = &text
		}
	}
	slices.Sort(latencies)
	if len(latencies) > 0 {
		line.P50 = float64(latencies[len(latencies)/2]) / 10
		line.P99 = float64(latencies[len(latencies)*99/100]) / 10
	}
	return json.NewEncoder(os.Stdout).Encode(line)
}

// The keys, and how many of them one call reads.
func keysOf(workload string) ([]string, int, error) {
	var keys []string
	switch workload {
	case "get64":
		for n := range keyCount {
			keys = append(keys, fmt.Sprintf("key:%012d", n))
		}
		return keys, 1, nil
	case "mget100", "pipeline100":
		for n := range batches * batch {
			keys = append(keys, fmt.Sprintf("{%06d}:%07d", firstBatch+n/batch, n))
		}
		return keys, batch, nil
	}
	return nil, 0, fmt.Errorf("there is no workload %q", workload)
}

func total(callers []*caller) int64 {
	var sum int64
	for _, caller := range callers {
		sum += caller.calls.Load()
	}
	return sum
}

// User and system time of this process.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
