//! The acts of the demo, in order. Each shows what it found before the next begins.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use truename::Client;
use truename::topology::Role;
use truename_lab::Lab;

use super::live::Live;
use super::proof::Proofs;
use super::summary::{Recovery, Summary};
use super::trap;
use super::workload::Workload;
use crate::args::lab::DemoArgs;
use crate::context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::{Output, human};

/// How often the client is asked whether it is connected to the new nodes.
const POLL: Duration = Duration::from_millis(20);
/// How long it may take until it is, once the old ones are gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Plays everything after the lab's start.
pub(super) async fn play(lab: &mut Lab, args: &DemoArgs, output: &mut Output) -> Result<Exit, Failure> {
    trap::show(lab, output).await?;
    let client = connect(lab, output).await?;
    let before = settled(&client).await;
    output.page(|page| before.write(page))?;

    let half = Duration::from_millis(args.seconds * 500);
    let workload = Workload::start(&client);
    let mut live = Live::new(&client, &workload);
    headline(output, "4. Writing and reading, every answer checked")?;
    live.during("steady", sleep(half)).await;
    output.page(|page| live.write_nodes(page))?;

    headline(output, "5. Every node moves to a new address and port, under that load")?;
    let recovery = redeploy(lab, &client, &mut live).await?;
    live.during("after", sleep(half)).await;
    output.page(|page| live.write_timeline(page))?;

    let (tally, ledger) = workload.finish(&client).await;
    let after = settled(&client).await;
    client.close();
    let summary = Summary { tally, ledger, recovery, before, after };
    headline(output, "6. Result")?;
    output.show(&summary)?;
    Ok(summary.exit())
}

fn headline(output: &mut Output, text: &str) -> Result<(), Failure> {
    output.page(|page| page.heading(text))
}

async fn connect(lab: &Lab, output: &mut Output) -> Result<Client, Failure> {
    let rules = lab.map_rules();
    let given = if lab.tls() { "seed, CA and password" } else { "seed and password" };
    headline(
        output,
        &format!("3. truename, with {given}{}", if rules.is_empty() { " and nothing else" } else { "" }),
    )?;
    if !rules.is_empty() {
        output.page(|page| page.indented(format!("and the rule `{}`", rules.join("`, `"))))?;
    }
    let started = Instant::now();
    let client = Client::connect(&context::of_lab(lab)?).await?;
    let took = human::duration(started.elapsed());
    output
        .page(|page| page.indented(format!("connected in {took}, chain and name of every node verified")))?;
    Ok(client)
}

/// What every primary proved, once all of them are connected; a replica is connected when it is needed.
async fn settled(client: &Client) -> Proofs {
    let deadline = Instant::now() + PATIENCE;
    while !all_primaries_are_connected(client, &BTreeSet::new()) && Instant::now() < deadline {
        sleep(POLL).await;
    }
    Proofs::of(client)
}

/// Whether there are primaries, all of them connected, and none of them one of `old`.
fn all_primaries_are_connected(client: &Client, old: &BTreeSet<String>) -> bool {
    let nodes = client.nodes();
    let mut primaries = nodes.iter().filter(|node| node.role == Role::Primary).peekable();
    primaries.peek().is_some()
        && primaries.all(|node| {
            let is_old = node.id.as_ref().is_some_and(|id| old.contains(id.as_str()));
            node.is_connected && !is_old
        })
}

/// Moves the cluster and measures how long the client needs to follow.
async fn redeploy(lab: &mut Lab, client: &Client, live: &mut Live) -> Result<Recovery, Failure> {
    let old: BTreeSet<String> = lab.nodes().iter().map(|node| node.id.clone()).collect();
    let started = Instant::now();
    let watcher = tokio::spawn({
        let client = client.clone();
        async move {
            while !all_primaries_are_connected(&client, &old) {
                sleep(POLL).await;
            }
            started.elapsed()
        }
    });
    let moved = live.during("redeploy", lab.redeploy()).await?;
    let followed = live.during("recovery", tokio::time::timeout(PATIENCE, watcher)).await;
    let followed = match followed {
        Ok(Ok(elapsed)) => Some(elapsed),
        // Not in time, or the watcher is gone; either way nobody saw it.
        Ok(Err(_)) | Err(_) => None,
    };
    Ok(Recovery { started, moved, followed })
}
