//! What a reply may cost before the peer is trusted with a command: the handshake, and its report of the topology.
//!
//! Replies to commands have limits of their own, those of [`Config::reply_limits`](crate::Config::reply_limits).

use truename_resp::Limits;

/// The longest text that a node may need in a topology: two host names, an id, a zone, and the headers between them.
const NODE_BYTES: usize = 1024;
/// The values that a node may take: itself, host, port, id, and metadata of four pairs.
const NODE_VALUES: usize = 14;
/// A primary with five replicas, as many as managed services have at most.
const NODES_PER_RANGE: usize = 6;
/// Ranges of one slot each: the worst that migrations leave behind.
const RANGES: usize = 16_384;

/// For `HELLO`, `CLIENT INFO` and the like: a few dozen short texts, more where many modules are loaded. 320 KiB at most,
/// for each of the half dozen replies.
pub(crate) fn greeting() -> Limits {
    Limits::default().with_depth(8).with_values(1024).with_bytes(64 << 10)
}

/// For `CLUSTER SLOTS`, `SHARDS` and `NODES`: 16,384 ranges of one slot, each with its replicas. About 400 MiB at most,
/// a tenth of that for as many nodes as clusters have.
pub(crate) fn topology() -> Limits {
    let values = RANGES * (3 + NODES_PER_RANGE * NODE_VALUES);
    Limits::default().with_depth(8).with_values(values).with_bytes(RANGES * NODES_PER_RANGE * NODE_BYTES)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use truename_resp::{DecodeErrorKind, Decoder, Reply};
    use truename_topology::parse_slots;

    use super::*;

    /// The largest `CLUSTER SLOTS` that is to be read: every slot is a range of its own.
    fn scattered(replicas: usize, name: usize) -> BytesMut {
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        let metadata = |host: &str| {
            format!(
                "*4\r\n{}{}{}{}",
                bulk("hostname"),
                bulk(host),
                bulk("availability-zone"),
                bulk("europe-west1-b")
            )
        };
        let node = |shard: usize, replica: usize| {
            let host = format!("{}-{shard}-{replica}.test", "n".repeat(name));
            let id = format!("{shard:020}{replica:020}");
            format!("*4\r\n{}:6379\r\n{}{}", bulk(&host), bulk(&id), metadata(&host))
        };
        let mut reply = format!("*{RANGES}\r\n");
        for slot in 0..RANGES {
            reply.push_str(&format!("*{}\r\n:{slot}\r\n:{slot}\r\n", 3 + replicas));
            (0..=replicas).for_each(|replica| reply.push_str(&node(slot % 300, replica)));
        }
        BytesMut::from(reply.as_str())
    }

    #[test]
    fn the_largest_topology_fits() {
        for (replicas, name) in [(5, 20), (1, 230)] {
            let mut decoder = Decoder::new(topology());
            let frame =
                decoder.decode(&mut scattered(replicas, name)).expect("within the budget").expect("whole");
            let truename_resp::Frame::Reply(reply) = frame else { panic!("a reply") };
            let view = parse_slots(&reply, "seed").expect("a view");
            assert_eq!(view.assigned_slots(), RANGES);
        }
    }

    /// Before the login, a stranger at the address could make this process hold as much as it cared to send.
    #[test]
    fn a_stranger_is_listened_to_for_some_kilobytes() {
        let endless: String = [":1\r\n".repeat(2000), format!("${}\r\n", 1 << 20)].concat();
        let mut decoder = Decoder::new(greeting());
        let error = decoder
            .decode(&mut BytesMut::from(format!("*100000\r\n{endless}").as_str()))
            .expect_err("too much");
        assert!(matches!(error.kind, DecodeErrorKind::TooManyValues { .. }), "{error}");
        let error = Decoder::new(greeting()).decode(&mut BytesMut::from("$70000\r\n")).expect_err("too long");
        assert!(error.kind.is_limit(), "{error}");
        assert!(greeting().memory() <= 320 << 10, "{}", greeting().memory());
        assert!(topology().memory() <= 450 << 20, "{}", topology().memory());
        assert_eq!(size_of::<Reply>(), 48);
    }
}
