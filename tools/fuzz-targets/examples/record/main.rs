//! Records that part of the fuzzer's corpus that comes from real servers, into `fuzz/corpus`:
//!
//! ```text
//! cargo run -p truename-fuzz-targets --example record
//! ```
//!
//! Replies are stored as they were read, in both versions of the protocol. Node ids, ports and keys differ from run to
//! run. Files whose names begin with `made-` were written by hand and stay as they are.
//!
//! - `connection`: bytes of a node, unread by anybody
//! - `replies`: what is asked
//! - `certificates`: what nodes present, and certificates that no sane authority would issue
//!
//! Must stay true: nothing is recorded that says where it was recorded (paths, host names).

mod certificates;
mod connection;
mod replies;

use std::error::Error;
use std::path::Path;

use truename_lab::{Lab, LabProfile};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    for profile in LabProfile::ALL {
        let lab = Lab::builder(profile).shards(3).replicas(1).password(None).start().await?;
        certificates::presented(&lab).await?;
        replies::of_a_cluster(&lab).await?;
        if profile == LabProfile::Plain {
            replies::of_a_server(&lab).await?;
            replies::in_trouble(&lab).await?;
        }
        lab.shutdown().await;
    }
    certificates::odd()
}

/// Writes one file of a target's corpus.
fn save(target: &str, name: &str, bytes: &[u8]) -> Outcome<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join(name), bytes)?;
    println!("{target}/{name}: {} bytes", bytes.len());
    Ok(())
}
