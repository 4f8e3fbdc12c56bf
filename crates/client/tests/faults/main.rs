//! Faults: real servers, the network or the client's own process are broken, mostly under load (`../FAULTS.md` has the list).
//! One program, so that the client and the lab are linked once. `make test-faults FILTER=f8` runs some of them.
//!
//! | module | what goes wrong |
//! |---|---|
//! | `endpoints` | every form in which endpoints are announced |
//! | `exclusive` | transactions and queues, on connections of one caller each |
//! | `load` | many at once: cancelled calls, herds, no file descriptors |
//! | `network` | black holes, resets, cuts at every byte, slow and chopped streams |
//! | `process` | servers killed, frozen and restarted; a client that was frozen |
//! | `resources` | DNS that never answers, no ports to dial from |
//! | `scans` | scans while slots move and nodes die |
//! | `slots` | slots on the move, or stuck between their owners |
//! | `strangers` | another cluster at the addresses of one's own |
//! | `tls` | certificates that go bad, are renewed, or are wrong on one node |
//! | `topology` | failovers, nodes that leave and return, refusals, holes |
//!
//! What must stay true: a test that measures time, processor use or this process runs `alone`, every other one `in_company`;
//! what changes a process has one of its own (`measure::process::Role`).

#[expect(dead_code, reason = "other programs use the rest")]
#[path = "../measure/mod.rs"]
mod measure;
#[expect(dead_code, reason = "other programs use the rest")]
#[path = "../support/mod.rs"]
mod support;

mod endpoints;
mod exclusive;
mod load;
mod network;
mod process;
mod resources;
mod scans;
mod slots;
mod strangers;
mod tls;
mod topology;
