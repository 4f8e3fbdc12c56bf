//! What happens to a client that trusts the announced address: a real attempt, with our explanation of it.

use truename::topology::{DialRule, DialTo, HostMatch, IdentityPolicy};
use truename::{Client, Error};
use truename_lab::{Lab, LabProfile};

use crate::context;
use crate::failure::Failure;
use crate::render::Output;
use crate::spelling::as_options;

/// What others do in this situation, each measured with TLS and the CA configured and nothing else, against servers
/// that announce IP addresses under a certificate with DNS names only.
const OTHERS: [(&str, &str); 3] = [
    (
        "node-redis 6.3.1",
        "connect() was not settled after 8 s, and the documented 'error' event did not fire",
    ),
    (
        "redis-rs 1.8.1",
        "connects, then each command fails after about 2 s: `No connections found - ClusterConnectionNotFound`",
    ),
    (
        "fred 10.1.0",
        "with fail_fast an error after 13 ms: `InvalidCertificate(NotValidForNameContext { expected: IpAddress(..`",
    ),
];

/// Connects as such a client would and shows what happens.
pub(super) async fn show(lab: &Lab, output: &mut Output) -> Result<(), Failure> {
    output.page(|page| page.heading("2. A client that trusts the announced addresses, and verifies them"))?;
    let config = context::of_lab_without_rules(lab)?
        .identity(IdentityPolicy::Announced)
        .dial_rule(DialRule::new(HostMatch::Any, DialTo::Announced));
    match Client::connect(&config).await {
        Ok(client) => {
            client.close();
            output.page(|page| {
                page.indented("connects: this provider announces what its certificates carry")
            })?;
        }
        Err(Error::Connect(error)) => {
            let mut nodes: Vec<_> = error.failures.iter().map(|failure| &failure.node).collect();
            nodes.sort_unstable();
            nodes.dedup();
            let (failed, took) = (nodes.len(), error.elapsed.as_millis());
            output.page(|page| {
                let all =
                    format!("cannot connect: {failed} nodes failed in {took} ms; the one that got furthest:");
                page.indented(page.paint().error(all))?;
                error.decisive().map_or(Ok(()), |failure| page.indented(failure.spelled(as_options)))
            })?;
        }
        Err(error) => return Err(error.into()),
    }
    if lab.profile() == LabProfile::Azure {
        output.page(|page| {
            page.blank()?;
            OTHERS.iter().try_for_each(|(client, what)| page.indented(format!("{client:17} {what}")))
        })?;
    }
    Ok(())
}
