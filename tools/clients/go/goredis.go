package main

import (
	"context"
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
// AutoPipeline in front of it, which its README recommends for high load.
type goRedisClient struct {
	*redis.ClusterClient
	commands   goRedisCommands
	manyAtOnce bool
}

func newGoRedis(o *options) (client, error) {
	cluster := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:     []string{o.address()},
		TLSConfig: o.tls,
		// A third of the callers at each of three nodes, and some to spare: nobody waits for a connection.
		PoolSize: o.callers/3 + 8,
		// Waiting behind a thousand callers may take longer than the 4 s that are the default.
		PoolTimeout: 30 * time.Second,
	})
	c := &goRedisClient{cluster, cluster, o.workload == "mget100"}
	if o.client == "go-redis-auto" {
		pipeliner, err := cluster.AutoPipeline()
		if err != nil {
			return nil, err
		}
		c.commands = pipeliner
	}
	return c, cluster.Ping(context.Background()).Err()
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

func (c *goRedisClient) version() string { return version(goRedisModule) }
