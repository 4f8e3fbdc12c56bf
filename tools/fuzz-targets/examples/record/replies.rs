//! What nodes answer.

use truename_lab::Lab;
use truename_topology::Slot;

use crate::connection::Connection;
use crate::{Outcome, save};

/// The versions of the protocol, as `HELLO` takes them.
const VERSIONS: [&str; 2] = ["2", "3"];

/// Every type of the protocol, by the name that `DEBUG PROTOCOL` has for it.
const TYPES: [&str; 13] = [
    "string", "integer", "double", "null", "array", "set", "map", "attrib", "push", "verbatim", "true",
    "false", "bignum",
];

/// Commands whose replies have a shape worth having; by a name for the file.
const COMMANDS: [(&str, &[&str]); 12] = [
    ("command-info", &["COMMAND", "INFO", "GET", "XREAD", "EVAL", "CONFIG|GET", "NOSUCH"]),
    ("command-docs", &["COMMAND", "DOCS", "GET"]),
    ("config", &["CONFIG", "GET", "maxmemory*"]),
    ("client-info", &["CLIENT", "INFO"]),
    ("cluster-info", &["CLUSTER", "INFO"]),
    ("cluster-myid", &["CLUSTER", "MYID"]),
    ("nested", &["EVAL", "return {1, 'a', {2, {3, false}}, {}}", "0"]),
    ("double", &["EVAL", "redis.setresp(3); return {double = 1.5}", "0"]),
    ("error", &["EVAL", "return redis.error_reply('CODE some text')", "0"]),
    ("arity", &["GET"]),
    ("unknown", &["NOSUCH", "a", "b"]),
    ("crossslot", &["MGET", "a", "b"]),
];

/// The replies that a topology is read from, and redirects.
pub(crate) async fn of_a_cluster(lab: &Lab) -> Outcome<()> {
    let profile = lab.profile();
    for version in VERSIONS {
        let mut node = Connection::to(lab, 0).await?;
        node.ask(&["HELLO", version]).await?;
        for command in ["SLOTS", "SHARDS", "NODES"] {
            let name = format!("{profile}-resp{version}-{}", command.to_lowercase());
            save("topology", &name, &node.ask(&["CLUSTER", command]).await?)?;
        }
    }
    let mut node = Connection::to(lab, 0).await?;
    let moved = node.ask(&["GET", &key(|slot| slot.index() > Slot::COUNT / 2)]).await?;
    save("redirect", &format!("{profile}-moved"), &moved)
}

/// Other replies, and pushes.
pub(crate) async fn of_a_server(lab: &Lab) -> Outcome<()> {
    let own = key(|slot| slot.index() < Slot::COUNT / 3);
    for version in VERSIONS {
        let mut node = Connection::to(lab, 0).await?;
        save("resp", &format!("resp{version}-hello"), &node.ask(&["HELLO", version]).await?)?;
        for (name, command) in COMMANDS {
            save("resp", &format!("resp{version}-{name}"), &node.ask(command).await?)?;
        }
        for kind in TYPES {
            // A push is followed by a reply.
            let answer = node.converse(&[&["DEBUG", "PROTOCOL", kind]]).await?;
            save("resp", &format!("resp{version}-type-{kind}"), &answer)?;
        }
        save("resp", &format!("resp{version}-slots"), &node.ask(&["CLUSTER", "SLOTS"]).await?)?;
        save(
            "resp",
            &format!("resp{version}-moved"),
            &node.ask(&["GET", &key(|s| s.index() > 9000)]).await?,
        )?;
        if version == "3" {
            let pushes = [
                &["CLIENT", "TRACKING", "ON", "BCAST"][..],
                &["SET", own.as_str(), "value"],
                &["SSUBSCRIBE", own.as_str()],
                &["SPUBLISH", own.as_str(), "news"],
            ];
            let mut answer = node.converse(&pushes).await?;
            // Invalidations are sent after all replies.
            answer.extend(node.converse(&[]).await?);
            save("resp", "pushes", &answer)?;
        }
    }
    Ok(())
}

/// A slot on its way to another node, and a node that has died.
pub(crate) async fn in_trouble(lab: &Lab) -> Outcome<()> {
    let mut node = Connection::to(lab, 0).await?;
    let moving = key(|slot| slot.index() < 1000);
    let slot = Slot::of_key(moving.as_bytes()).value().to_string();
    node.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &lab.node(1).id]).await?;
    save("redirect", "asked", &node.ask(&["GET", &moving]).await?)?;
    save("topology", "open-slot-nodes", &node.ask(&["CLUSTER", "NODES"]).await?)?;
    node.ask(&["CLUSTER", "SETSLOT", &slot, "STABLE"]).await?;
    lab.node(2).kill();
    lab.wait_ready().await?;
    for command in ["SLOTS", "SHARDS", "NODES"] {
        let name = format!("dead-node-{}", command.to_lowercase());
        save("topology", &name, &node.ask(&["CLUSTER", command]).await?)?;
    }
    Ok(())
}

/// A key in a slot of this kind.
fn key(is_wanted: impl Fn(Slot) -> bool) -> String {
    let mut keys = (0u64..).map(|n| format!("key:{n}"));
    keys.find(|key| is_wanted(Slot::of_key(key.as_bytes()))).unwrap_or_default()
}
