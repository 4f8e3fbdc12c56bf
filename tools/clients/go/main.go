// One client of this language under load, as ../README.md says: its arguments, and the line that it prints.
//
//   - main.go: arguments, and which client; run.go: the callers and the window
//   - rueidis.go, goredis.go: the clients, each set up as its documentation recommends for throughput
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// What the program was asked for.
type options struct {
	client, host, ca, workload string
	port, callers              int
	warmUp, window             float64
	tls                        *tls.Config
}

func (o *options) address() string {
	return net.JoinHostPort(o.host, strconv.Itoa(o.port))
}

// A client's two ways of reading.
type client interface {
	// GET: the length of the value.
	get(key string) (int, error)
	// Several keys of one slot, by the workload's way: the length of all values.
	getAll(keys []string) (int, error)
	// How many connections it has opened so far; nil if it cannot tell.
	connectionsOpened() *int64
	version() string
}

var clients = map[string]func(*options) (client, error){
	"rueidis":             newRueidis,
	"rueidis-delay":       newRueidis,
	"go-redis":            newGoRedis,
	"go-redis-auto":       newGoRedis,
	"go-redis-auto-delay": newGoRedis,
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	options, err := parse()
	if err != nil {
		return err
	}
	connect, known := clients[options.client]
	if !known {
		return fmt.Errorf("there is no client %q", options.client)
	}
	go endWithParent()
	client, err := connect(options)
	if err != nil {
		return err
	}
	return measure(client, options)
}

func parse() (*options, error) {
	var o options
	flag.StringVar(&o.client, "client", "", "")
	flag.StringVar(&o.host, "host", "", "")
	flag.IntVar(&o.port, "port", 0, "")
	flag.StringVar(&o.ca, "ca", "", "")
	flag.StringVar(&o.workload, "workload", "", "")
	flag.IntVar(&o.callers, "callers", 1, "")
	flag.Float64Var(&o.warmUp, "warm-up", 1, "")
	flag.Float64Var(&o.window, "window", 1, "")
	flag.Parse()
	if o.ca == "" {
		return &o, nil
	}
	pem, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New(o.ca + " has no certificate")
	}
	o.tls = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &o, nil
}

// The parent holds the other end of standard input; it is gone when this ends.
func endWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

// The version of a module that this program was built with.
func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return "unknown"
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second))
}
