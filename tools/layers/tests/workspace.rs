//! The crates of this repository: no cycle of files, and the layers of each in their order. ARCHITECTURE.md has the map.
//!
//! A new file at the top of a crate gets its place here first. A file that does not belong with
//! the rest of its directory has a row of its own.

use std::path::Path;

use truename_layers::{Graph, Sources};

/// A crate, from its lowest layer to its root. At least this many files and uses were found when this was written, less a
/// tenth: a check that finds nothing proves nothing.
struct Crate {
    directory: &'static str,
    layers: &'static [&'static str],
    files: usize,
    edges: usize,
}

const CRATES: [Crate; 9] = [
    Crate {
        directory: "crates/resp",
        layers: &[
            "untrusted",
            "error_reply",
            "error",
            "limits",
            "reply",
            "frame",
            "encode",
            "grammar",
            "decode",
            "scan",
            "raw_frame",
            "framer",
            "lib",
        ],
        files: 23,
        edges: 64,
    },
    Crate {
        directory: "crates/topology",
        layers: &[
            "typed",
            "endpoint",
            "node",
            "crc16",
            "slot",
            "dropped",
            "view",
            "slot_map",
            "diff",
            "redirect",
            "parse",
            "reconcile",
            "address",
            "lib",
        ],
        files: 33,
        edges: 110,
    },
    Crate {
        directory: "crates/client",
        layers: &[
            // What has nothing to do with a connection.
            "panics",
            "clock",
            "observe",
            "certificate",
            "error",
            "runtime",
            "from_reply",
            // What a user says: how nodes are verified, where they are, what they are sent.
            "tls",
            "config",
            "command",
            "json",
            // From one connection to the cluster.
            "connect",
            "event",
            "lane",
            "cluster",
            "router",
            // What a user calls.
            "probe",
            "api",
            "hosted",
            "blocking",
            // Documentation alone.
            "manual",
            "lib",
        ],
        files: 126,
        edges: 430,
    },
    Crate {
        directory: "crates/redis",
        layers: &["engine", "versions", "v1", "v0_32", "lib"],
        files: 19,
        edges: 30,
    },
    Crate {
        directory: "crates/lab",
        layers: &[
            // What answers are judged by needs no servers.
            "history",
            "error",
            "profile",
            "certificates",
            "announce",
            "user",
            "config",
            "nodes_conf",
            "subnet",
            "plan",
            "server_conf",
            "reaper",
            "server",
            "admin",
            "node",
            "view",
            "accepting",
            "forward",
            "silent",
            "dns",
            "fault",
            "cluster",
            "sni",
            "lib",
        ],
        files: 29,
        edges: 94,
    },
    Crate {
        directory: "crates/cli",
        layers: &[
            "args",
            "spelling",
            "exit",
            "failure",
            "environment",
            "context",
            "render",
            "logging",
            "commands",
            "main",
        ],
        files: 36,
        edges: 116,
    },
    Crate {
        directory: "bench",
        layers: &[
            "failure",
            "statistics",
            "latency",
            "usage",
            "allocations",
            "cell",
            "target",
            "subjects",
            "keyspace",
            "run",
            "machine",
            "record",
            "table",
            "recovery/fault",
            "clients/cell",
            "clients/roster",
            "args",
            "compare",
            "blocking",
            "connecting",
            "profile",
            "recovery",
            "scan",
            "clients",
            "main",
        ],
        files: 30,
        edges: 115,
    },
    Crate {
        directory: "tools/fuzz-targets",
        layers: &[
            "random",
            "pieces",
            "harmless",
            "plan",
            "resp",
            "framer",
            "topology",
            "redirect",
            "url",
            "rule",
            "certificate",
            "revocation",
            "lib",
        ],
        files: 11,
        edges: 22,
    },
    Crate {
        directory: "tools/layers",
        layers: &["tokens", "module", "sources", "graph", "lib"],
        files: 5,
        edges: 3,
    },
];

impl Crate {
    fn sources(&self) -> Sources {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let directory = root.join(self.directory).join("src");
        Sources::read(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
    }
}

#[test]
fn no_crate_has_a_cycle_of_files() {
    for krate in &CRATES {
        let cycle = Graph::of(&krate.sources()).cycle().unwrap_or_default();
        let cycle: Vec<String> = cycle.iter().map(|edge| format!("\n  {edge}")).collect();
        assert!(cycle.is_empty(), "a cycle of files in {}/src:{}", krate.directory, cycle.concat());
    }
}

#[test]
fn every_layer_uses_those_below_it_alone() {
    for krate in &CRATES {
        let faults = Graph::of(&krate.sources()).faults(krate.layers);
        assert!(faults.is_empty(), "the layers of {}/src:\n  {}", krate.directory, faults.join("\n  "));
    }
}

#[test]
fn everything_was_looked_at() {
    for krate in &CRATES {
        let sources = krate.sources();
        let graph = Graph::of(&sources);
        let files: Vec<&str> = graph.files().collect();
        let is_test = |path: &str| path == "tests" || path.ends_with("/tests") || path.ends_with("_tests");
        let missed: Vec<&str> =
            sources.paths().filter(|path| !is_test(path) && !files.contains(path)).collect();
        assert!(missed.is_empty(), "{}/src: no module leads to {missed:?}", krate.directory);
        let (edges, directory) = (graph.edges(), krate.directory);
        assert!(files.len() >= krate.files, "only {} files in {directory}", files.len());
        assert!(edges >= krate.edges, "only {edges} uses between the files of {directory}");
    }
}

#[test]
fn every_crate_has_its_layers_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("the manifest of the workspace");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).expect("its members");
    for member in members.trim_end_matches(']').split(", ") {
        let member = member.trim_matches('"');
        assert!(
            CRATES.iter().any(|krate| krate.directory == member),
            "{member} is not among the crates here"
        );
    }
}
