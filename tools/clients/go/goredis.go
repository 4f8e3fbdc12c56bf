package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const goRedisModule = "github.com/redis/go-redis/v9"

// What go-redis's plain client and its automatic pipelines have in common.
type goRedisCommands interface {
	Get(ctx context.Context, key string) *redis.StringCmd
	MGet(ctx context.Context, keys ...string) *redis.SliceCmd
}

// go-redis takes a connection from a node's pool for every call, and waits where there is none. `go-redis-auto` puts
// AutoPipeline in front of it, which its README recommends for high load. `go-redis-auto-delay` also collects calls for up
// to 100 microseconds, which the documentation of AutoPipelineOptions.MaxFlushDelay recommends for most workloads because
// it takes less processor time.
type goRedisClient struct {
	*redis.ClusterClient
	commands   goRedisCommands
	manyAtOnce bool
	opened     *atomic.Int64
}

func newGoRedis(o *options) (client, error) {
	var opened atomic.Int64
	cluster := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:     []string{o.address()},
		TLSConfig: o.tls,
		// All callers may be at the same node at once, and some to spare: nobody waits for a connection.
		PoolSize: o.callers + 8,
		// Waiting behind a thousand callers may take longer than the 4 s that are the default.
		PoolTimeout: 30 * time.Second,
		OnConnect: func(context.Context, *redis.Conn) error {
			opened.Add(1)
			return nil
		},
	})
	c := &goRedisClient{cluster, cluster, o.workload == "mget100", &opened}
	if err := c.pipelineAutomatically(o.client); err != nil {
		return nil, err
	}
	return c, cluster.Ping(context.Background()).Err()
}

func (c *goRedisClient) pipelineAutomatically(name string) error {
	var pipeliner *redis.AutoPipeliner
	var err error
	switch name {
	case "go-redis-auto":
		pipeliner, err = c.AutoPipeline()
	case "go-redis-auto-delay":
		pipeliner, err = c.AutoPipelineWithOptions(&redis.AutoPipelineOptions{
			// As without options of one's own.
			MaxBatchSize:  300,
			MaxFlushDelay: 100 * time.Microsecond,
		})
	default:
		return nil
	}
	if err == nil {
		c.commands = pipeliner
	}
	return err
}

func (c *goRedisClient) get(key string) (int, error) {
	value, err := c.commands.Get(context.Background(), key).Result()
	return len(value), err
}

// MGET, or a pipeline by hand, which is faster than an automatic one where there is something to put into it:
// https://redis.io/docs/latest/develop/clients/go/autopipeline/
func (c *goRedisClient) getAll(keys []string) (int, error) {
	length := 0
	if c.manyAtOnce {
		values, err := c.commands.MGet(context.Background(), keys...).Result()
		for _, value := range values {
			text, _ := value.(string)
			length += len(text)
		}
		return length, err
	}
	pipeline := c.Pipeline()
	replies := make([]*redis.StringCmd, 0, len(keys))
	for _, key := range keys {
		replies = append(replies, pipeline.Get(context.Background(), key))
	}
	if _, err := pipeline.Exec(context.Background()); err != nil {
		return 0, err
	}
	for _, reply := range replies {
		length += len(reply.Val())
	}
	return length, nil
}

func (c *goRedisClient) connectionsOpened() *int64 {
	opened := c.opened.Load()
	return &opened
}

func (c *goRedisClient) version() string { return version(goRedisModule) }
