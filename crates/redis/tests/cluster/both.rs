//! One program, run on redis-rs's own cluster connection and on this one: what comes back has the same shape.

use redis::aio::ConnectionLike;
use redis::{Cmd, ProtocolVersion, RedisResult, Value};
use truename_lab::LabProfile;

use crate::support::{PROTOCOLS, connect, lab, urls};

/// Kind of a value, and of what is in it. Names of nodes and fields count, texts and numbers do not.
fn shape(value: &Value) -> String {
    match value {
        Value::Map(pairs) => {
            let mut pairs: Vec<String> =
                pairs.iter().map(|(key, value)| format!("{key:?}: {}", kind(value))).collect();
            pairs.sort();
            format!("map {pairs:?}")
        }
        other => kind(other).to_owned(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Int(_) => "int",
        Value::BulkString(_) => "bulk",
        Value::Array(_) => "array",
        Value::SimpleString(_) => "simple",
        Value::Okay => "ok",
        Value::Map(_) => "map",
        Value::Set(_) => "set",
        Value::Double(_) => "double",
        Value::Boolean(_) => "boolean",
        Value::VerbatimString { .. } => "verbatim",
        Value::ServerError(_) => "error",
        _ => "other",
    }
}

/// The commands, with whether it is their value that counts rather than their shape.
fn program() -> Vec<(Cmd, bool)> {
    let shapes = [
        "INFO server",
        "MEMORY STATS",
        "MEMORY DOCTOR",
        "LATENCY LATEST",
        "LATENCY HISTORY command",
        "FUNCTION STATS",
        "SLOWLOG GET 1",
        "RANDOMKEY",
        "CLUSTER INFO",
        "ACL WHOAMI",
        "TIME",
        "CONFIG GET maxmemory-policy",
        "COMMAND COUNT",
        "PUBSUB CHANNELS",
        "OBJECT ENCODING both:1",
        "SCRIPT LOAD return",
    ];
    let values = [
        "FLUSHALL",
        "MSET both:1 a both:2 b both:3 c",
        "DBSIZE",
        "MGET both:1 both:2 nothing both:3",
        "EXISTS both:1 both:2 nothing",
        "KEYS both:1",
        "TOUCH both:1 both:2",
        "PING",
        "ECHO text",
        "GET nothing",
        "HSET h a 1 b 2",
        "HGETALL h",
        "SMEMBERS nothing",
        "ZADD z 1.5 a",
        "ZSCORE z a",
        "ZRANGE z 0 -1 WITHSCORES",
        "SCRIPT EXISTS 0000000000000000000000000000000000000000",
        "PUBSUB NUMSUB news",
        "PUBSUB NUMPAT",
        "SLOWLOG RESET",
        "CONFIG RESETSTAT",
        "CONFIG SET slowlog-max-len 100",
        "MEMORY PURGE",
        "SCRIPT FLUSH",
        "FUNCTION FLUSH",
        "LPUSH both:1 x",
        "NOSUCHCOMMAND",
        "DEL both:1 both:2 both:3 nothing",
    ];
    let command = |line: &str| {
        let mut cmd = Cmd::new();
        line.split(' ').for_each(|word| _ = cmd.arg(word));
        cmd
    };
    let values = values.iter().map(|line| (command(line), true));
    values.chain(shapes.iter().map(|line| (command(line), false))).collect()
}

async fn run<C: ConnectionLike>(connection: &mut C, cmd: &Cmd) -> RedisResult<Value> {
    connection.req_packed_command(cmd).await?.extract_error()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_back_has_the_same_shape() {
    let lab = lab(LabProfile::Plain).await;
    for protocol in PROTOCOLS {
        let client = redis::cluster::ClusterClient::builder(urls(&lab)).use_protocol(protocol).build();
        let mut theirs = client.expect("usable").get_async_connection().await.expect("connected");
        let mut ours = connect(&lab, protocol).await;
        let (mut there, mut here) = (Vec::new(), Vec::new());
        for (cmd, _) in program() {
            there.push(run(&mut theirs, &cmd).await);
        }
        for (cmd, _) in program() {
            here.push(run(&mut ours, &cmd).await);
        }
        for ((cmd, by_value), (their, our)) in program().into_iter().zip(there.iter().zip(&here)) {
            let line = String::from_utf8_lossy(&cmd.get_packed_command()).replace("\r\n", " ");
            compare(protocol, &line, by_value, their, our);
        }
    }
}

fn compare(
    protocol: ProtocolVersion,
    line: &str,
    by_value: bool,
    their: &RedisResult<Value>,
    our: &RedisResult<Value>,
) {
    match (their, our) {
        (Ok(their), Ok(our)) if by_value => assert_eq!(our, their, "{protocol:?} {line}"),
        (Ok(their), Ok(our)) => assert_eq!(shape(our), shape(their), "{protocol:?} {line}"),
        (Err(their), Err(our)) => {
            assert_eq!((our.kind(), our.code()), (their.kind(), their.code()), "{protocol:?} {line}")
        }
        (their, our) => panic!("{protocol:?} {line}: {their:?} there, {our:?} here"),
    }
}
