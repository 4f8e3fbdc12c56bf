//! Dialling nodes at addresses other than the announced ones: the closure form of `node_address_map`.
//!
//! Needed only where equal ports at the seed's host are not enough, such as published ports that are shifted. The
//! closure decides where to dial; which names the node may prove stays as it was.

use truename::topology::DialAddress;
use truename::{Client, Config, cmd};

#[tokio::main]
async fn main() -> Result<(), truename::Error> {
    // Nodes that announce a bare IP address are behind the seed's host, at their own port.
    let config = Config::from_env()?.map_node_addresses(|node, seed| {
        node.endpoint.ip().map(|_| DialAddress::new(seed.host(), node.endpoint.port()))
    });
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
