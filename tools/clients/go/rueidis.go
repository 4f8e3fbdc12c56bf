package main

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

const rueidisModule = "github.com/redis/rueidis"

// rueidis pipelines concurrent calls by itself. Its documentation names two options that save processor time:
// MaxFlushDelay of about 20 microseconds under load, and DisableTCPNoDelay where requests are small. `rueidis-delay` has
// both: in 24 pairs of runs on loopback, GET by 64 callers, the second one on top of the first was cheaper in 18.
// https://pkg.go.dev/github.com/redis/rueidis#ClientOption
// Client-side caching is left at its default, on: it costs nothing where nothing is cached.
type rueidisClient struct {
	rueidis.Client
	manyAtOnce bool
}

func newRueidis(o *options) (client, error) {
	option := rueidis.ClientOption{InitAddress: []string{o.address()}, TLSConfig: o.tls}
	if o.client == "rueidis-delay" {
		option.MaxFlushDelay = 20 * time.Microsecond
		option.DisableTCPNoDelay = true
	}
	connected, err := rueidis.NewClient(option)
	return &rueidisClient{connected, o.workload == "mget100"}, err
}

func (c *rueidisClient) get(key string) (int, error) {
	value, err := c.Do(context.Background(), c.B().Get().Key(key).Build()).ToString()
	return len(value), err
}

// MGET as one command, or DoMulti, the pipeline by hand: https://github.com/redis/rueidis#manual-pipelining
func (c *rueidisClient) getAll(keys []string) (int, error) {
	if c.manyAtOnce {
		values, err := c.Do(context.Background(), c.B().Mget().Key(keys...).Build()).ToArray()
		return lengthOfMessages(values, err)
	}
	commands := make(rueidis.Commands, 0, len(keys))
	for _, key := range keys {
		commands = append(commands, c.B().Get().Key(key).Build())
	}
	length := 0
	for _, reply := range c.DoMulti(context.Background(), commands...) {
		value, err := reply.ToString()
		if err != nil {
			return 0, err
		}
		length += len(value)
	}
	return length, nil
}

func lengthOfMessages(values []rueidis.RedisMessage, err error) (int, error) {
	length := 0
	for at := range values {
		value, err := values[at].ToString()
		if err != nil {
			return 0, err
		}
		length += len(value)
	}
	return length, err
}

func (c *rueidisClient) connectionsOpened() *int64 { return nil }

func (c *rueidisClient) version() string { return version(rueidisModule) }
