//! Whatever a peer says about itself or others, what this crate shows of it is harmless.

use proptest::prelude::*;
use truename_resp::{ErrorReply, Reply};
use truename_topology::view::{SkipReason, Skipped};
use truename_topology::{
    AddressPolicy, AnnouncedNode, Boundary, DialAddress, DialPlan, DialRule, Endpoint, Identity,
    IdentityName, IdentityPolicy, NodeId, PlanError, Redirect, Role, ShardView, Slot, SlotMap, SlotRange,
    TopologyDiff, Trust, View, parse_node_lines, parse_nodes, parse_redirect, parse_slots, reconcile,
};

/// C0, DEL, C1, line separators and everything that changes the direction of text.
fn is_dangerous(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text with some of what does harm on a terminal, and words that the parsers look for.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "\\PC{0,3}",
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            "\u{1b}[2J",
            "\u{9b}H",
            "\r",
            "\n",
            "\u{202e}",
            "\u{2067}",
            "\u{61c}",
            "\u{7f}",
            "\0",
            ":1",
            ",",
            " ",
            "@",
            "[",
            "]",
            "a.test",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn slot(index: usize) -> Slot {
    Slot::all().nth(index).expect("a slot")
}

fn map(text: &str, port: u16) -> SlotMap {
    let mut node = AnnouncedNode::new(Endpoint::new(text, port), Role::Primary);
    node = node.with_id(NodeId::new(text)).with_hostname(text).with_availability_zone(text);
    let range = SlotRange::new(slot(0), slot(9)).expect("a range");
    SlotMap::from_view(&View::new(vec![ShardView::new(vec![range], Some(node), Vec::new())]))
}

/// Everything that this crate shows when all that a peer may choose is this text.
fn shown(text: &str) -> Vec<String> {
    let endpoint = Endpoint::new(text, 1);
    let node = AnnouncedNode::new(endpoint.clone(), Role::Primary).with_hostname(text);
    let node = node.with_id(NodeId::new(text)).with_availability_zone(text);
    let (seed, address) = (Endpoint::new("seed.test", 6379), DialAddress::new(text, 1));
    let dns = IdentityName::Dns(text.into());
    let diff: TopologyDiff = map(text, 1).diff(&map(text, 2));
    let mut shown = vec![
        endpoint.to_string(),
        format!("{endpoint:?}"),
        node.to_string(),
        format!("{node:?}"),
        NodeId::new(text).to_string(),
        format!("{:?}", NodeId::new(text)),
        Redirect::Moved { slot: slot(1), to: endpoint.clone() }.to_string(),
        address.to_string(),
        format!("{address:?}"),
        DialPlan::Auto { announced: address.clone(), fallback: Some(address) }.to_string(),
        dns.to_string(),
        format!("{dns:?}"),
        diff.to_string(),
        format!("{diff:?}"),
        ErrorReply::new(text.to_owned()).to_string(),
    ];
    let errors = [
        Endpoint::parse(text, None).err().map(|error| format!("{error} {error:?}")),
        IdentityName::parse(text).err().map(|error| format!("{error} {error:?}")),
        text.parse::<Trust>().err().map(|error| format!("{error} {error:?}")),
        text.parse::<IdentityPolicy>().err().map(|error| format!("{error} {error:?}")),
        PlanError::OutOfScope { endpoint }.to_string().into(),
        text.parse::<DialRule>().err().map(|error| format!("{error} {error:?}")),
    ];
    shown.extend(errors.into_iter().flatten());
    for rule in ["*=seed:-1", "*={host}:{port}"] {
        let policy = AddressPolicy::new().with_rule(rule.parse().expect("a rule"));
        for boundary in [Boundary::Scope, Boundary::Lifted] {
            match policy.plan_node(&node, &seed, boundary) {
                Ok(plan) => {
                    shown.push(plan.dial.to_string());
                    shown.extend(plan.identities.iter().map(Identity::to_string));
                }
                Err(error) => shown.push(format!("{error} {error:?}")),
            }
        }
    }
    for error in ["MOVED 1 ", "MOVED ", "ASK 16384 "] {
        if let Some(redirect) = parse_redirect(&format!("{error}{text}"), "seed.test") {
            shown.push(redirect.map_or_else(|e| format!("{e} {e:?}"), |to| format!("{to} {to:?}")));
        }
    }
    shown.extend(views(text));
    shown
}

fn view(host: &str, text: &str) -> View {
    let node = |port, id: &str| {
        let node = AnnouncedNode::new(Endpoint::new(host, port), Role::Primary);
        node.with_id(NodeId::new(id)).with_hostname(text)
    };
    let range = SlotRange::new(slot(0), slot(9)).expect("a range");
    let ids = [text.to_owned(), format!("{text}2")];
    View::new(vec![ShardView::new(vec![range], Some(node(1, &ids[0])), vec![node(2, &ids[1])])])
}

/// What is said about views of a hostile node.
fn views(text: &str) -> Vec<String> {
    let bulk = |text: &str| Reply::Bulk(text.to_owned().into());
    let metadata = Reply::Array(vec![bulk("hostname"), bulk(text)]);
    let node = Reply::Array(vec![bulk(text), Reply::Integer(7), bulk(text), metadata]);
    let slots = Reply::Array(vec![Reply::Array(vec![Reply::Integer(0), Reply::Integer(9), node])]);
    let lines = format!("{text} {text}:1@2,{text} master - 0 0 1 connected 0-9\n{text} {text}");
    let replies = [
        parse_slots(&slots, "seed.test"),
        parse_slots(&Reply::Error(ErrorReply::new(text.to_owned())), "seed.test"),
        parse_nodes(&lines, "seed.test"),
    ];
    let mut shown: Vec<String> = parse_node_lines(&lines).err().iter().map(ToString::to_string).collect();
    for reply in replies {
        match reply {
            Ok(view) => {
                shown.push(format!("{view:?}"));
                shown.extend(view.skipped.iter().map(Skipped::to_string));
                shown.extend(view.nodes().map(AnnouncedNode::to_string));
            }
            Err(error) => shown.push(format!("{error} {error:?}")),
        }
    }
    shown.push(SkipReason::BadHost.to_string());
    // Three views of the same nodes by other addresses and names, so that everything is disputed.
    let told: Vec<View> = [text, "b.test", "c.test"].iter().map(|host| view(host, text)).collect();
    let reconciled = reconcile(&told, None);
    assert!(!reconciled.disagreements.is_empty());
    shown.extend(reconciled.disagreements.iter().map(|what| format!("{what} {what:?}")));
    shown
}

proptest! {
    /// Node ids, hosts and server errors used to reach the terminal with their escape sequences.
    #[test]
    fn nothing_dangerous_is_shown(text in hostile()) {
        for line in shown(&text) {
            prop_assert!(!line.chars().any(is_dangerous), "{line:?}");
        }
    }
}
