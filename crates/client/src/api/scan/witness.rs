//! What nodes say about themselves and about each other, read out of their texts. Pure; what follows from it says
//! [`verdict`](super::verdict).
//!
//! What must stay true: what a text does not say is never taken for "nothing happened".

use std::sync::OnceLock;

use truename_topology::{Slot, SlotRange};

use super::digest::Digest;
use super::slots::SlotSet;

/// Which process answered: its `run_id`, which every start of a server draws anew; or the connection that it answered on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process(pub(super) [u8; 20]);

impl Process {
    /// Reads it from `INFO server`.
    pub(super) fn parse(info: &str) -> Option<Self> {
        let text = field(info, "run_id:")?;
        let mut id = [0; 20];
        if text.len() != 40 || !text.is_ascii() {
            return None;
        }
        for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(id))
    }

    /// The process at the other end of a connection, where it does not say its `run_id`: the same as long as the connection is,
    /// and as `INFO server` says the same `process_id`, if it does.
    pub(super) fn at_end_of(connection: u64, info: &str) -> Self {
        // No connection of another client, of which a cursor may tell, has this.
        static CLIENT: OnceLock<u64> = OnceLock::new();
        let client = CLIENT.get_or_init(|| fastrand::u64(..)).to_le_bytes();
        let process = Digest::of(field(info, "process_id:").unwrap_or_default().as_bytes()) as u32;
        let mut id = [0; 20];
        let bytes = client.into_iter().chain(connection.to_le_bytes()).chain(process.to_le_bytes());
        id.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        Self(id)
    }
}

/// Whether the server has `CLUSTERSCAN`, which scans one slot (Valkey 9.1), by `INFO server`.
pub(super) fn scans_slots(info: &str) -> bool {
    let version = field(info, "valkey_version:").unwrap_or_default();
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (9, 1)
}

/// A digest of how many commands of the process moved keys from or to other nodes, and how long that took, by `INFO commandstats`:
/// after `CONFIG RESETSTAT` the same numbers do not come about again. `None` where the text is not that section: a server lists
/// only commands that were called, so that without the heading nothing would look like none.
pub(super) fn keys_moved(info: &str) -> Option<u64> {
    field(info, "# Commandstats")?;
    let mut digest = Digest::new();
    for line in ["cmdstat_migrate:", "cmdstat_restore-asking:"] {
        // What was refused comes after these two, and moved nothing.
        let said = field(info, line).unwrap_or_default().split(',').take(2);
        said.for_each(|number| digest.add(number.as_bytes()));
        digest.add(b";");
    }
    Some(digest.value())
}

/// Whose data a server without cluster support has, by `INFO replication`: its own, or another one's as its replica. It
/// changes with every failover, within one process.
pub(super) fn lineage(info: &str) -> Option<u64> {
    let mut digest = Digest::new();
    for name in ["role:", "master_replid:"] {
        digest.add(field(info, name)?.as_bytes());
    }
    Some(digest.value())
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim_end().strip_prefix(name))
}

/// Who has which slots in the eyes of one node (`CLUSTER NODES`).
#[derive(Debug, Clone)]
pub(super) struct Claims {
    /// The node that says so.
    pub(super) myself: String,
    /// Every primary with slots.
    pub(super) primaries: Vec<Primary>,
    /// Slots that are on their way, from this node or to it.
    pub(super) open: SlotSet,
}

/// A primary and what it is said to have.
#[derive(Debug, Clone)]
pub(super) struct Primary {
    pub(super) id: String,
    /// Raised whenever slots change hands to it.
    pub(super) epoch: u64,
    pub(super) slots: SlotSet,
    /// It is said to have failed, or suspected of it.
    pub(super) has_failed: bool,
}

impl Claims {
    /// Reads a reply to `CLUSTER NODES`. `None` for a text of another form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mut myself, mut primaries, mut open) = (None, Vec::new(), SlotSet::empty());
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let [id, _address, flags, _primary, _ping, _pong, epoch, _link, words @ ..] = &fields[..] else {
                return None;
            };
            let has_flag = |flag| flags.split(',').any(|candidate| candidate == flag);
            if has_flag("myself") {
                myself = Some((*id).to_owned());
            }
            let mut slots = SlotSet::empty();
            for word in words {
                match word.strip_prefix('[') {
                    Some(rest) => open.insert(slot(rest.split('-').next()?)?),
                    None => slots.insert_range(range(word)?),
                }
            }
            if !slots.is_empty() && !has_flag("slave") && !has_flag("replica") {
                let has_failed = has_flag("fail") || has_flag("fail?");
                primaries.push(Primary {
                    id: (*id).to_owned(),
                    epoch: epoch.parse().ok()?,
                    slots,
                    has_failed,
                });
            }
        }
        Some(Self { myself: myself?, primaries, open })
    }

    /// What a server without cluster support would say. Its [`lineage`] stands in for an epoch.
    pub(super) fn alone(epoch: u64) -> Self {
        let me = Primary { id: String::new(), epoch, slots: SlotSet::all(), has_failed: false };
        Self { myself: String::new(), primaries: vec![me], open: SlotSet::empty() }
    }

    /// What matters of it about another node: what it has itself, which gives it a vote, and what others have by a higher epoch
    /// than that node's. `None` from a node that is cut off.
    pub(super) fn about(mut self, node: &Self) -> Option<Self> {
        if self.is_cut_off() {
            return None;
        }
        let epoch = node.own().map_or(0, |own| own.epoch);
        self.primaries.retain(|primary| {
            primary.id == self.myself || (primary.id != node.myself && primary.epoch > epoch)
        });
        self.primaries.iter_mut().for_each(|primary| primary.has_failed = false);
        Some(self)
    }

    pub(super) fn own(&self) -> Option<&Primary> {
        self.primaries.iter().find(|primary| primary.id == self.myself)
    }

    /// Whether so many primaries are out of this node's reach that they could have replaced it.
    pub(super) fn is_cut_off(&self) -> bool {
        let failed = self.primaries.iter().filter(|primary| primary.has_failed && primary.id != self.myself);
        failed.count() > self.primaries.len() / 2
    }
}

fn slot(digits: &str) -> Option<Slot> {
    Slot::new(digits.parse().ok()?)
}

fn range(word: &str) -> Option<SlotRange> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    SlotRange::new(slot(first)?, slot(last)?)
}

/// What a node says about itself at one moment.
#[derive(Debug, Clone)]
pub(super) struct Witness {
    pub(super) process: Process,
    /// The connection on which it said so: what else is answered on it comes from the same process.
    pub(super) connection: u64,
    /// Whether it can scan a single slot.
    pub(super) scans_slots: bool,
    /// What [`keys_moved`] gives; `None` for a server without cluster support, or one that does not say.
    pub(super) moved: Option<u64>,
    pub(super) claims: Claims,
}

impl Witness {
    /// The slots that the node has and that are not on their way.
    pub(super) fn settled(&self) -> SlotSet {
        self.claims.own().map_or_else(SlotSet::empty, |own| own.slots.without(&self.claims.open))
    }

    /// What has to be remembered of it until the end of a pass.
    pub(super) fn memo(&self) -> Memo {
        let mut digest = Digest::new();
        let own = self.claims.own();
        for set in [own.map(|own| &own.slots), Some(&self.claims.open)].into_iter().flatten() {
            set.words().iter().for_each(|word| digest.add(&word.to_le_bytes()));
        }
        Memo {
            process: self.process,
            moved: self.moved,
            epoch: own.map_or(0, |own| own.epoch),
            slots: digest.value(),
        }
    }
}

/// What is remembered of a node's statement from the beginning of a pass to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memo {
    pub(super) process: Process,
    pub(super) moved: Option<u64>,
    pub(super) epoch: u64,
    /// A digest of the slots that it had, and of those that were on their way.
    pub(super) slots: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "\
        aa 127.0.0.1:7000@17000,host myself,master - 0 0 7 connected 0-5460 [93-<-cc] [5460->-bb]\n\
        bb 127.0.0.1:7001@17001 master,fail? - 0 1 2 connected 5461-10921 16383\n\
        cc 127.0.0.1:7002@17002 master - 0 1 3 connected 10922-16382\n\
        dd 127.0.0.1:7003@17003 slave aa 0 1 7 connected\n\
        ee 127.0.0.1:7004@17004 master - 0 1 0 connected\n";

    #[test]
    fn a_node_says_what_it_has_and_what_is_on_its_way() {
        let claims = Claims::parse(NODES).expect("a view");
        assert_eq!((claims.myself.as_str(), claims.primaries.len()), ("aa", 3));
        assert_eq!(format!("{:?}", claims.open), r#"["93", "5460"]"#);
        assert_eq!(format!("{:?}", claims.primaries[1].slots), r#"["5461-10921", "16383"]"#);
        assert!(claims.primaries[1].has_failed && !claims.is_cut_off(), "one of three is no majority");
        for broken in ["aa 127.0.0.1:7000@17000 myself,master", "aa a b - 0 0 7 connected 3-1", ""] {
            assert!(Claims::parse(broken).is_none(), "{broken}");
        }
        assert_eq!(Claims::alone(0).own().map(|own| own.slots.ranges()), Some(vec![SlotRange::ALL]));
    }

    #[test]
    fn info_says_which_process_and_how_many_keys_moved() {
        let info = "# Server\r\nrun_id:00112233445566778899aabbccddeeff00112233\r\ntcp_port:1\r\n";
        assert_eq!(Process::parse(info).expect("an id").0[..3], [0, 0x11, 0x22]);
        for bad in ["", "run_id:\r\n", "run_id:00\r\n", "run_id:zz112233445566778899aabbccddeeff00112233"] {
            assert_eq!(Process::parse(bad), None, "{bad}");
        }
        for (info, has) in [
            ("valkey_version:9.1.2\r\n", true),
            ("valkey_version:10.0.0\r\n", true),
            ("valkey_version:9.0.9\r\n", false),
            ("redis_version:9.9.9\r\n", false),
            ("valkey_version:unstable\r\n", false),
        ] {
            assert_eq!(scans_slots(info), has, "{info}");
        }
        let calls = "cmdstat_get:calls=9,usec=1\r\ncmdstat_migrate:calls=3,usec=4\r\ncmdstat_restore-asking:calls=4,u=1";
        let all = format!("# Commandstats\r\n{calls}");
        let moved = keys_moved(&all);
        assert!(moved.is_some() && keys_moved(&format!("{all},rejected_calls=1")) == moved);
        // More, none, and as many after a reset.
        for other in
            [all.replace("calls=3", "calls=4"), "# Commandstats\r\n".into(), all.replace("usec=4", "usec=5")]
        {
            assert!(keys_moved(&other).is_some_and(|other| Some(other) != moved), "{other}");
        }
        assert_eq!(
            (keys_moved(calls), keys_moved("")),
            (None, None),
            "a server without that section says nothing"
        );
    }

    #[test]
    fn without_a_run_id_the_connection_tells_processes_apart() {
        let of = Process::at_end_of;
        let info = "# Server\r\nprocess_id:7\r\n";
        assert_eq!(of(1, info), of(1, info));
        assert!(of(1, info) != of(2, info) && of(1, info) != of(1, "process_id:8\r\n"));
        assert_eq!(of(1, ""), of(1, "redis_version:7.4.0\r\n"));
    }

    #[test]
    fn what_matters_of_a_view_is_who_is_newer() {
        let node = Claims::parse(
            &NODES.replace("myself,", "").replace("7001@17001 master", "7001@17001 myself,master"),
        );
        let (seen, node) = (Claims::parse(NODES).expect("a view"), node.expect("a view"));
        let ids =
            |claims: Claims| claims.primaries.iter().map(|primary| primary.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(seen.about(&node).expect("it is not cut off")), ["aa", "cc"]);
        let cut_off =
            Claims::parse(&NODES.replace("7002@17002 master", "7002@17002 master,fail")).expect("a view");
        assert!(cut_off.about(&node).is_none());
    }

    #[test]
    fn a_server_alone_says_whose_data_it_has() {
        let primary = "# Replication\r\nrole:master\r\nmaster_replid:aa\r\n";
        let replica = "# Replication\r\nrole:slave\r\nmaster_host:h\r\nmaster_replid:aa\r\n";
        let promoted = "# Replication\r\nrole:master\r\nmaster_replid:bb\r\n";
        let all = [primary, replica, promoted].map(|info| lineage(info).expect("it says so"));
        assert!(all[0] != all[1] && all[0] != all[2] && lineage(primary) == Some(all[0]));
        assert_eq!(lineage("# Replication\r\nrole:master\r\n"), None);
    }
}
