//! The README's quickstart: connect, write, read, and see by which name every node was verified.
//!
//! Run `truename lab up`, copy the lines that it prints, then `cargo run --example quickstart`.

use truename::{Client, Config, cmd};

#[tokio::main]
async fn main() -> Result<(), truename::Error> {
    let client = Client::connect(&Config::from_env()?).await?;

    client.run(cmd("SET").arg("city").arg("Oslo").arg("EX").arg(60)).await?;
    let city: Option<String> = client.execute(cmd("GET").arg("city")).await?;
    println!("city = {city:?}");

    for status in client.nodes().into_iter().filter(|status| status.is_connected) {
        let name = status.facts.and_then(|facts| facts.identity.clone());
        match name {
            Some(identity) => println!("{} proved {} ({})", status.node, identity.name, identity.source),
            None => println!("{} is not encrypted", status.node),
        }
    }
    Ok(())
}
