//! A limit for the calls of each user in any second or minute: a sliding window that all processes of a service share.
//!
//! - The window is a Lua [`Script`], executed in one piece next to its keys. It is sent by its digest; a server that does not
//!   have it, such as one that has just been promoted, gets it whole.
//! - The keys of a user have a hash tag in common (`{rate:ada}:log`, `{rate:ada}:total`): they are in one slot, as a script needs
//!   it, and the users are spread over all shards.
//! - Every call has an id, and whoever was admitted stays admitted and counts once. So the script may be sent again when an
//!   answer was lost (`repeatable`).
//! - How much is left can be looked at without taking anything, at a replica (`EVALSHA_RO`).
//!
//! Run `truename lab up`, copy the lines that it prints, then `cargo run --example rate_limiter`.

#[path = "support/arguments.rs"]
mod arguments;

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use truename::{Client, Config, Error, ReadFrom, Script, cmd};

/// What was admitted within the window, by time. The time is the server's: processes' clocks differ.
const ADMIT: &str = "
    local log, total = KEYS[1], KEYS[2]
    local call, limit, window = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)

    local before = redis.call('ZSCORE', log, call)
    if before then return {1, tonumber(before)} end

    redis.call('ZREMRANGEBYSCORE', log, '-inf', now - window)
    if redis.call('ZCARD', log) >= limit then
        local oldest = redis.call('ZRANGE', log, 0, 0, 'WITHSCORES')
        return {0, oldest[2] + window - now}
    end
    redis.call('ZADD', log, now, call)
    redis.call('PEXPIRE', log, window)
    redis.call('INCR', total)
    redis.call('PEXPIRE', total, 10 * window)
    return {1, now}";

const LEFT: &str = "
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    return ARGV[1] - redis.call('ZCOUNT', KEYS[1], '(' .. now - ARGV[2], '+inf')";

/// What a call is told.
enum Answer {
    /// It may go on; the server's time in milliseconds.
    Admitted(i64),
    /// Not now.
    Wait(Duration),
}

#[derive(Clone)]
struct Limiter {
    client: Client,
    admit: Script,
    left: Script,
    limit: u64,
    window: Duration,
}

impl Limiter {
    fn new(client: &Client, limit: u64, window: Duration) -> Self {
        let (admit, left) = (Script::new(ADMIT), Script::read_only(LEFT));
        Self { client: client.clone(), admit, left, limit, window }
    }

    /// Whether this call may go on. `call` is its id: asked twice, it is counted once.
    async fn admit(&self, user: &str, call: &str) -> Result<Answer, Error> {
        let (log, total) = (format!("{{rate:{user}}}:log"), format!("{{rate:{user}}}:total"));
        let script = self.admit.key(&log).key(&total).arg(call).arg(self.limit).arg(self.window.as_millis());
        let (is_admitted, time): (bool, i64) = script.repeatable(true).execute(&self.client).await?;
        Ok(if is_admitted {
            Answer::Admitted(time)
        } else {
            Answer::Wait(Duration::from_millis(time.max(1) as u64))
        })
    }

    /// How many calls the user has left. May be a moment old, and takes nothing.
    async fn left(&self, user: &str) -> Result<i64, Error> {
        let log = format!("{{rate:{user}}}:log");
        let peek = self.left.key(&log).arg(self.limit).arg(self.window.as_millis());
        peek.read_from(ReadFrom::PreferReplica).timeout(Duration::from_secs(1)).execute(&self.client).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [users, limit, calls, seconds] = arguments::numbers(
        "A rate limiter, and a check of what it admits.",
        [
            ("--users", 20, "how many users there are"),
            ("--limit", 10, "how many calls each may make in a window"),
            ("--calls", 40, "how many calls each makes in the first part, where the window is a minute"),
            ("--seconds", 2, "how long the second part takes, where the window is half a second"),
        ],
    );
    // Longer than a failover takes. If you would rather let a call pass than wait, set less and go on after an error.
    let client = Client::connect(&Config::from_env()?.command_timeout(Duration::from_secs(10))).await?;
    // Users of this run alone, so that several runs do not disturb each other.
    let run = fastrand::u32(..);
    let users: Vec<String> = (0..users).map(|n| format!("{run:x}:{n}")).collect();

    // All calls of all users at once: of each user's, exactly as many are admitted as allowed.
    let slow = Limiter::new(&client, limit, Duration::from_secs(60));
    let mut asked = JoinSet::new();
    for user in &users {
        for call in 0..calls {
            let (limiter, user) = (slow.clone(), user.clone());
            asked.spawn(async move { limiter.admit(&user, &format!("call-{call}")).await });
        }
    }
    let mut admitted = 0;
    for answer in asked.join_all().await {
        admitted += u64::from(matches!(answer?, Answer::Admitted(_)));
    }
    let expected = users.len() as u64 * limit.min(calls);
    println!("burst: {admitted} of {} admitted, {expected} expected", users.len() as u64 * calls);
    // The servers counted the same. One MGET, whatever the shards.
    let totals = users.iter().map(|user| format!("{{rate:{user}}}:total"));
    let totals: Vec<u64> = client.execute(cmd("MGET").args(totals)).await?;
    println!("the servers counted {}", totals.iter().sum::<u64>());
    for user in users.iter().take(3) {
        println!("user {user} has {} left", slow.left(user).await?);
    }

    // Calls that come all the time, each as soon as it may: in no window more than the limit.
    let quick = Limiter::new(&client, limit, Duration::from_millis(500));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut paced = JoinSet::new();
    for user in users {
        let limiter = quick.clone();
        paced.spawn(async move {
            let (user, mut times) = (format!("paced:{user}"), Vec::new());
            while Instant::now() < end {
                match limiter.admit(&user, &format!("call-{}", times.len())).await? {
                    Answer::Admitted(time) => times.push(time),
                    Answer::Wait(time) => tokio::time::sleep(time).await,
                }
            }
            Ok::<_, Error>(times)
        });
    }
    let (mut total, mut too_many) = (0, 0);
    for times in paced.join_all().await {
        let times = times?;
        total += times.len();
        // Between a call and the one that is `limit` calls later there is a whole window.
        let windows = times.iter().zip(times.iter().skip(limit as usize));
        too_many +=
            windows.filter(|(first, later)| *later - *first < quick.window.as_millis() as i64).count();
    }
    println!("paced: {total} admitted, {too_many} too many in a window");

    client.shutdown(Duration::from_secs(5)).await;
    if admitted != expected || too_many > 0 {
        return Err("the limiter admitted too many calls or too few".into());
    }
    println!("every user was admitted as often as allowed");
    Ok(())
}
