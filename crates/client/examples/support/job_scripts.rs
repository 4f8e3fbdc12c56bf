//! The scripts of `job_queue`: each moves jobs in one piece, and leaves the same when it is executed twice.

/// Removes a job from a worker's list and counts it; 0 if it is not there (any more): somebody else has it. Twice is as good as
/// once. KEYS: the list, the counts. ARGV: the job.
pub(crate) const FINISH: &str = "
    if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
    return redis.call('HINCRBY', KEYS[2], ARGV[1], 1)";

/// Says that a worker is alive, by the server's clock. KEYS: the workers. ARGV: its name.
pub(crate) const SIGN: &str = "return redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])";

/// Gives back what a worker has in its list if it has not signed in for two seconds, and forgets it after a minute.
/// KEYS: the workers, its list, the queue. ARGV: its name.
pub(crate) const REAP: &str = "
    local silence = redis.call('TIME')[1] - (redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
    local jobs = 0
    while silence > 2 and redis.call('LMOVE', KEYS[2], KEYS[3], 'LEFT', 'RIGHT') do jobs = jobs + 1 end
    if silence > 60 then redis.call('ZREM', KEYS[1], ARGV[1]) end
    return jobs";

/// Moves a job from a list back into the queue, if it is there. KEYS: the queue, the list. ARGV: the job.
pub(crate) const ADOPT: &str = "
    if redis.call('LREM', KEYS[2], 1, ARGV[1]) == 0 then return 0 end
    return redis.call('RPUSH', KEYS[1], ARGV[1])";
