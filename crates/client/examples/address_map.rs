//! Dialling nodes at addresses other than the announced ones: the closure form of `node_address_map`.
//!
//! Needed only where equal ports at the seed's host are not enough, such as published ports that are shifted. The
//! closure decides where to dial; which names the node may prove stays as it was.

mod support;

use truename::topology::{AnnouncedNode, DialAddress, Endpoint};
use truename::{Client, cmd};

/// Nodes that announce a bare IP address are behind the seed's host, at their own port.
fn behind_the_seed(node: &AnnouncedNode, seed: &Endpoint) -> Option<DialAddress> {
    node.endpoint.ip()?;
    (node.endpoint != *seed).then(|| DialAddress::new(seed.host(), node.endpoint.port()))
}

#[tokio::main]
async fn main() -> Result<(), truename::Error> {
    let config = support::config()?.node_address_map(behind_the_seed);
    let client = Client::connect(&config).await?;
    let pong: String = client.execute(cmd("PING")).await?;
    println!("{pong}");
    for status in client.nodes() {
        let dialled = status.facts.and_then(|facts| facts.dialled.clone());
        println!(
            "{} was dialled at {}",
            status.node,
            dialled.map_or_else(|| "nowhere yet".to_owned(), |d| d.to_string())
        );
    }
    Ok(())
}
