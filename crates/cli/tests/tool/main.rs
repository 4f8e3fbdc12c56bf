//! The tool as its users run it: the real binary, against labs and strange peers. One program, linked once.
//!
//! | module | what it shows |
//! |---|---|
//! | `azure` | everything on one healthy azure lab, and what is wrong on the user's side of it |
//! | `faulty_labs` | labs with a fault: one bad certificate, client certificates, plaintext |
//! | `lab_and_demo` | `lab up` and `demo` as a user runs them |
//! | `promises_detour` | nodes with the same port and certificate |
//! | `promises_doctor` | an unusable cluster is not called healthy, and advice does not mislead |
//! | `promises_pins` | pins, revocation lists, versions of TLS |
//! | `promises_plaintext` | no password in plaintext to a provider that speaks TLS |
//! | `promises_remedies` | advice helps, and what is claimed is true |
//! | `promises_secrets` | a password in the wrong place is not repeated |
//! | `promises_text` | what a peer says reaches the terminal as text only |
//! | `scope` | announced names that are out of scope |
//! | `strange_servers` | peers that are not Redis servers |
//! | `support` | running the binary with a deadline; peers made of sockets |
//! | `system_roots` | the authority is among the system's roots |
//! | `usage` | command lines that need no server |
//!
//! What must stay true: tests of different modules run at the same time, and each runs the binary in a process of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod azure;
mod faulty_labs;
mod lab_and_demo;
mod promises_detour;
mod promises_doctor;
mod promises_pins;
mod promises_plaintext;
mod promises_remedies;
mod promises_secrets;
mod promises_text;
mod scope;
mod strange_servers;
mod support;
mod system_roots;
mod usage;
