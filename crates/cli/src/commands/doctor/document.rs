//! The diagnosis for programs. Keys are never renamed; `schema` changes if a meaning does.

use serde_json::{Value, json};
use truename::probe::NodeReport;

use super::check;
use super::diagnosis::Diagnosis;
use crate::render::json as form;

const SCHEMA: &str = "truename.doctor/1";

pub(super) fn of(diagnosis: &Diagnosis) -> Value {
    let report = &diagnosis.report;
    let rows = |reports: &[NodeReport]| -> Value { reports.iter().map(|row| node(diagnosis, row)).collect() };
    let expiring = diagnosis.expiring().into_iter().map(|expiring| {
        json!({
            "code": "certificate-expires-soon",
            "nodes": expiring.nodes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "days_left": expiring.certificate.days_left(diagnosis.now),
        })
    });
    let detours = diagnosis
        .detours()
        .map(|(row, _)| json!({ "code": "reached-by-detour", "nodes": [row.node.endpoint.to_string()] }));
    json!({
        "schema": SCHEMA,
        "healthy": report.is_healthy(),
        "exit_code": diagnosis.exit().code(),
        "tls": diagnosis.tls,
        "login": diagnosis.login,
        "single_node": report.is_single_node,
        "seeds": rows(&report.seeds),
        "nodes": rows(&report.nodes),
        "topology": report.topology.as_ref().map(|map| json!({
            "shards": map.shards().len(),
            "nodes": map.nodes().len(),
            "slots_assigned": map.assigned(),
            "slots_without_owner": report.slots_without_owner(),
            "not_addressable": report.skipped.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "disagreements": report.disagreements.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })),
        "failures": diagnosis.failures().into_iter().map(form::node_failure).collect::<Value>(),
        "decisive": report.decisive().filter(|_| !report.is_healthy()).map(form::node_failure),
        "warnings": expiring.chain(detours).collect::<Value>(),
        "profile": diagnosis.profile.map(form::profile),
        "elapsed_ms": form::ms(report.elapsed),
    })
}

fn node(diagnosis: &Diagnosis, row: &NodeReport) -> Value {
    let facts = row.facts.as_ref();
    let greeting = facts.map(|facts| &facts.greeting);
    json!({
        "node": row.node.endpoint.to_string(),
        "role": if row.is_seed { "seed".to_owned() } else { row.node.role.to_string() },
        "healthy": row.is_healthy(),
        "announced": {
            "host": row.node.endpoint.host(),
            "port": row.node.endpoint.port(),
            "hostname": row.node.hostname.as_deref(),
            "node_id": row.node.id.as_ref().map(ToString::to_string),
        },
        "dialled": facts.and_then(|facts| facts.dialled.as_ref()).map(ToString::to_string),
        "tcp": facts.and_then(|facts| facts.peer).map(|peer| peer.to_string()),
        "tls": facts.and_then(|facts| facts.tls_version.as_ref()).map(|version| json!({
            "version": version,
            "cipher": facts.and_then(|facts| facts.cipher_suite.clone()),
        })),
        "identity": facts.and_then(|facts| facts.identity.as_ref()).map(form::identity),
        "certificate": check::certificate(row).map(form::certificate),
        "login": facts.and(diagnosis.login.as_deref()),
        "server": greeting.map(|greeting| json!({
            "name": greeting.server,
            "version": greeting.version,
            "mode": greeting.mode,
            "protocol": greeting.protocol,
        })),
        "client": greeting.map(|greeting| json!({
            "user": greeting.user,
            "seen_from": greeting.client_address,
        })),
        "node_id": greeting.and_then(|greeting| greeting.node_id.clone()),
        "is_announced_node": check::is_announced_node(row),
        "connect_ms": facts.map(|facts| form::ms(facts.elapsed)),
        "ping_ms": row.ping.map(form::ms),
        "failures": row.failures.iter().map(form::node_failure).collect::<Value>(),
    })
}
