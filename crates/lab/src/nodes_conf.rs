//! A cluster's configuration file, written before the servers start.
//!
//! With `nodes.conf` in place there is no MEET, no slot assignment and no replication command to wait for: a cluster
//! of six is ready about two seconds after its processes start (the servers' own pause before a primary takes writes).

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use truename_topology::Slot;

/// How many slots a cluster has.
pub(crate) const SLOTS: u16 = Slot::COUNT as u16;
/// Distance between a node's client port and its bus port.
pub(crate) const BUS_OFFSET: u16 = 10_000;

/// One line of the file.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    pub(crate) id: &'a str,
    pub(crate) address: Ipv4Addr,
    /// The port that it announces.
    pub(crate) port: u16,
    /// Where the other nodes connect to.
    pub(crate) bus: u16,
    pub(crate) hostname: Option<&'a str>,
    /// The node this one replicates; `None` for a primary.
    pub(crate) primary: Option<&'a str>,
    pub(crate) epoch: u64,
    pub(crate) slots: Option<RangeInclusive<u16>>,
}

impl Entry<'_> {
    fn render(&self, out: &mut String, myself: bool) {
        let Self { id, address, port, bus, epoch, .. } = self;
        let name = self.hostname.map(|name| format!(",{name}")).unwrap_or_default();
        let role = if self.primary.is_some() { "slave" } else { "master" };
        let flags = if myself { format!("myself,{role}") } else { role.to_owned() };
        let primary = self.primary.unwrap_or("-");
        let _ = write!(out, "{id} {address}:{port}@{bus}{name} {flags} {primary} 0 0 {epoch} connected");
        if let Some(slots) = &self.slots {
            let _ = write!(out, " {}-{}", slots.start(), slots.end());
        }
        out.push('\n');
    }
}

/// The file of the node `myself` (an index into `entries`) in a new cluster of these entries.
pub(crate) fn found(entries: &[Entry<'_>], myself: usize) -> String {
    let mut file = String::new();
    for (index, entry) in entries.iter().enumerate() {
        entry.render(&mut file, index == myself);
    }
    let epoch = entries.iter().map(|entry| entry.epoch).max().unwrap_or(0);
    end(file, epoch)
}

/// The file of the node `myself` among those that join the running cluster described by `cluster_nodes` (the reply to
/// `CLUSTER NODES`).
pub(crate) fn join(cluster_nodes: &str, entries: &[Entry<'_>], myself: usize, epoch: u64) -> String {
    let mut file = String::new();
    for line in cluster_nodes.lines().filter(|line| is_settled(line)) {
        // Slots in migration (`[slot->-id]`) are the asked node's own affair, and so is the flag `myself`.
        let words: Vec<_> = line.split(' ').filter(|word| !word.starts_with('[')).collect();
        file.push_str(&words.join(" ").replacen("myself,", "", 1));
        file.push('\n');
    }
    for (index, entry) in entries.iter().enumerate() {
        entry.render(&mut file, index == myself);
    }
    end(file, epoch)
}

fn is_settled(line: &str) -> bool {
    let flags = line.split(' ').nth(2).unwrap_or("noaddr");
    !flags.split(',').any(|flag| matches!(flag, "fail" | "handshake" | "noaddr"))
}

fn end(mut file: String, epoch: u64) -> String {
    let _ = writeln!(file, "vars currentEpoch {epoch} lastVoteEpoch 0");
    file
}

/// The slots of one of `shards` shards, spread as evenly as possible.
pub(crate) fn slots_of(shard: usize, shards: usize) -> RangeInclusive<u16> {
    let first = |shard: usize| u16::try_from(shard * usize::from(SLOTS) / shards).unwrap_or(SLOTS);
    first(shard)..=first(shard + 1) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(id: &'a str, primary: Option<&'a str>) -> Entry<'a> {
        let slots = primary.is_none().then_some(0..=16_383);
        let hostname = primary.map(|_| "b.test");
        let address = Ipv4Addr::new(127, 1, 2, 3);
        Entry { id, address, port: 8501, bus: 18_501, hostname, primary, epoch: 4, slots }
    }

    #[test]
    fn a_new_cluster_is_written_as_the_servers_write_it() {
        let file = found(&[entry("aa", None), entry("bb", Some("aa"))], 1);
        assert_eq!(
            file,
            "aa 127.1.2.3:8501@18501 master - 0 0 4 connected 0-16383\n\
             bb 127.1.2.3:8501@18501,b.test myself,slave aa 0 0 4 connected\n\
             vars currentEpoch 4 lastVoteEpoch 0\n"
        );
    }

    #[test]
    fn a_joining_node_takes_over_what_is_settled() {
        let running = "aa 127.1.2.9:1@10001 myself,master - 0 0 7 connected 0-5 9 [93->-cc]\n\
                       dd 127.1.2.8:1@10001 master,fail - 0 0 6 disconnected\n\
                       ee 127.1.2.7:1@10001,e.test slave aa 0 0 7 connected\n";
        let file = join(running, &[entry("bb", Some("aa"))], 0, 7);
        assert_eq!(
            file,
            "aa 127.1.2.9:1@10001 master - 0 0 7 connected 0-5 9\n\
             ee 127.1.2.7:1@10001,e.test slave aa 0 0 7 connected\n\
             bb 127.1.2.3:8501@18501,b.test myself,slave aa 0 0 4 connected\n\
             vars currentEpoch 7 lastVoteEpoch 0\n"
        );
    }

    #[test]
    fn shards_share_all_slots() {
        for shards in 1..=9 {
            let mut next = 0;
            for shard in 0..shards {
                let slots = slots_of(shard, shards);
                assert_eq!(*slots.start(), next, "{shards} shards");
                next = slots.end() + 1;
            }
            assert_eq!(next, SLOTS);
        }
    }
}
