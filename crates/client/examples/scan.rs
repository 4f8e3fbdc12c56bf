//! Counts the keys of a cluster by what stands before their first colon, and says what could not be counted.
//!
//! Run `truename lab up`, copy the lines that it prints, then `cargo run --example scan`. After an incomplete scan it prints a
//! cursor; given as an argument, the next run counts what is left.

use std::collections::BTreeMap;

use truename::scan::ScanCursor;
use truename::{Client, Config};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect(&Config::from_env()?).await?;
    let mut scan = client.scan();
    if let Some(cursor) = std::env::args().nth(1) {
        scan = scan.resume(cursor.parse::<ScanCursor>()?);
    }

    let mut keys = scan.keys();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(key) = keys.next().await {
        match key {
            Ok(key) => {
                let prefix = key.split(|byte| *byte == b':').next().unwrap_or_default();
                *counts.entry(prefix.escape_ascii().to_string()).or_default() += 1;
            }
            Err(missing) => eprintln!("{missing}"),
        }
    }
    for (prefix, count) in counts {
        println!("{count:>10}  {prefix}");
    }
    if let Some(rest) = keys.cursor() {
        println!("not all of them; go on with {rest}");
    }
    Ok(())
}
