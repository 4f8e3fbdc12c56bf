//! What a name server knows, and what it replies to a question.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::LabError;

/// How long a reply may be kept.
const TTL_SECONDS: u32 = 60;
/// A chain of aliases that is longer goes in a circle.
const MOST_ALIASES: usize = 16;
/// What is offered to clients that can take more than 512 bytes over UDP.
const UDP_PAYLOAD: u16 = 1232;

/// What a name server tells about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DnsAnswer {
    /// These addresses, IPv4 as A and IPv6 as AAAA records. Without any the name exists and has no records.
    Addresses(Vec<IpAddr>),
    /// Another name (CNAME), and behind it what that one leads to, up to 16 of them.
    Alias(String),
    /// There is no such name (NXDOMAIN).
    NoSuchName,
    /// The server cannot tell (SERVFAIL).
    ServerFailure,
    /// The server will not tell (REFUSED).
    Refused,
    /// No reply at all.
    Silence,
}

/// A question that a name server was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsQuestion {
    /// The name, without the final dot.
    pub name: String,
    /// The type of record, e.g. `AAAA`.
    pub kind: String,
    /// Whether it came over TCP.
    pub over_tcp: bool,
}

/// Everything a name server was told.
#[derive(Debug, Default)]
pub(super) struct Records {
    names: BTreeMap<Name, Known>,
    /// In place of what is known.
    all: Option<Known>,
}

/// An answer whose names have been read.
#[derive(Debug, Clone)]
enum Known {
    Alias(Name),
    Other(DnsAnswer),
}

impl Known {
    fn read(answer: DnsAnswer) -> Result<Self, LabError> {
        match answer {
            DnsAnswer::Alias(target) => host_name(&target).map(Self::Alias),
            answer => Ok(Self::Other(answer)),
        }
    }
}

impl Records {
    pub(super) fn set(&mut self, name: &str, answer: DnsAnswer) -> Result<(), LabError> {
        self.names.insert(host_name(name)?, Known::read(answer)?);
        Ok(())
    }

    pub(super) fn set_all(&mut self, answer: Option<DnsAnswer>) -> Result<(), LabError> {
        self.all = answer.map(Known::read).transpose()?;
        Ok(())
    }

    /// The reply to a request; `None` is silence.
    pub(super) fn reply(&self, request: &Message) -> Option<Message> {
        let mut reply = Message::response(request.metadata.id, request.metadata.op_code);
        reply.metadata = Metadata::response_from_request(&request.metadata);
        reply.metadata.recursion_available = true;
        reply.add_queries(request.queries.iter().cloned());
        if request.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(UDP_PAYLOAD);
            reply.set_edns(edns);
        }
        reply.metadata.response_code = match &request.queries[..] {
            _ if request.metadata.op_code != OpCode::Query => ResponseCode::NotImp,
            [query] => {
                let (code, records) = self.look_up(query)?;
                reply.add_answers(records);
                code
            }
            _ => ResponseCode::FormErr,
        };
        Some(reply)
    }

    fn look_up(&self, query: &Query) -> Option<(ResponseCode, Vec<Record>)> {
        let mut records = Vec::new();
        let mut name = query.name().clone();
        for _ in 0..=MOST_ALIASES {
            let target = match self.all.as_ref().or_else(|| self.names.get(&name)) {
                Some(Known::Alias(target)) => target.clone(),
                None => return Some((ResponseCode::NXDomain, records)),
                Some(Known::Other(answer)) => return end(answer, &name, query.query_type(), records),
            };
            let alias = RData::CNAME(CNAME(target.clone()));
            records.push(Record::from_rdata(name, TTL_SECONDS, alias));
            if query.query_type() == RecordType::CNAME {
                return Some((ResponseCode::NoError, records));
            }
            name = target;
        }
        Some((ResponseCode::ServFail, Vec::new()))
    }
}

/// What is replied at the end of a chain of aliases, of which `records` holds the links.
fn end(
    answer: &DnsAnswer,
    name: &Name,
    wanted: RecordType,
    mut records: Vec<Record>,
) -> Option<(ResponseCode, Vec<Record>)> {
    let code = match answer {
        DnsAnswer::Addresses(addresses) => {
            let found = addresses.iter().copied().map(RData::from);
            let found = found.filter(|data| data.record_type() == wanted || wanted == RecordType::ANY);
            records.extend(found.map(|data| Record::from_rdata(name.clone(), TTL_SECONDS, data)));
            ResponseCode::NoError
        }
        // Aliases were followed.
        DnsAnswer::NoSuchName | DnsAnswer::Alias(_) => ResponseCode::NXDomain,
        DnsAnswer::ServerFailure => return Some((ResponseCode::ServFail, Vec::new())),
        DnsAnswer::Refused => return Some((ResponseCode::Refused, Vec::new())),
        DnsAnswer::Silence => return None,
    };
    Some((code, records))
}

/// The question in a request, for whoever asks what was asked.
pub(super) fn question(request: &Message, over_tcp: bool) -> Option<DnsQuestion> {
    let query = request.queries.first()?;
    let name = query.name().to_ascii().trim_end_matches('.').to_owned();
    Some(DnsQuestion { name, kind: query.query_type().to_string(), over_tcp })
}

/// Reads a name as the root of all names has it.
fn host_name(text: &str) -> Result<Name, LabError> {
    let mut name = Name::from_ascii(text).unwrap_or_default();
    name.set_fqdn(true);
    if name.is_root() {
        return Err(LabError::invalid(format!("{text:?} is no name for a DNS record")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Records {
        let mut records = Records::default();
        let addresses =
            |texts: &[&str]| DnsAnswer::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect());
        let alias = |target: &str| DnsAnswer::Alias(target.to_owned());
        for (name, answer) in [
            ("Both.test", addresses(&["127.0.0.7", "::7", "127.0.0.8"])),
            ("four.test.", addresses(&["127.0.0.4"])),
            ("empty.test", addresses(&[])),
            ("alias.test", alias("far.test")),
            ("far.test", alias("both.test")),
            ("circle.test", alias("circle.test")),
            ("to-nobody.test", alias("nobody.test")),
            ("to-silence.test", alias("silent.test")),
            ("gone.test", DnsAnswer::NoSuchName),
            ("broken.test", DnsAnswer::ServerFailure),
            ("closed.test", DnsAnswer::Refused),
            ("silent.test", DnsAnswer::Silence),
        ] {
            records.set(name, answer).unwrap();
        }
        records
    }

    fn ask(records: &Records, name: &str, kind: RecordType) -> Option<(ResponseCode, Vec<String>)> {
        let mut request = Message::query();
        request.add_query(Query::query(host_name(name).unwrap(), kind));
        let reply = records.reply(&request)?;
        let shown = reply.answers.iter().map(|record| format!("{} {}", record.name, record.data));
        Some((reply.metadata.response_code, shown.collect()))
    }

    #[test]
    fn every_answer_has_its_reply() {
        use RecordType::{A, AAAA, CNAME, MX};
        use ResponseCode::{NXDomain, NoError, Refused, ServFail};
        let records = records();
        let rows: [(&str, RecordType, ResponseCode, &[&str]); 14] = [
            ("both.test", A, NoError, &["both.test. 127.0.0.7", "both.test. 127.0.0.8"]),
            ("both.test", AAAA, NoError, &["both.test. ::7"]),
            ("four.test", AAAA, NoError, &[]),
            ("four.test", MX, NoError, &[]),
            ("empty.test", A, NoError, &[]),
            (
                "alias.test",
                AAAA,
                NoError,
                &["alias.test. far.test.", "far.test. both.test.", "both.test. ::7"],
            ),
            ("alias.test", CNAME, NoError, &["alias.test. far.test."]),
            ("circle.test", A, ServFail, &[]),
            ("to-nobody.test", A, NXDomain, &["to-nobody.test. nobody.test."]),
            ("nobody.test", A, NXDomain, &[]),
            ("gone.test", A, NXDomain, &[]),
            ("broken.test", A, ServFail, &[]),
            ("closed.test", A, Refused, &[]),
            ("FOUR.test", A, NoError, &["FOUR.test. 127.0.0.4"]),
        ];
        for (name, kind, code, expected) in rows {
            let (found, shown) = ask(&records, name, kind).expect(name);
            assert_eq!(
                (found, &shown[..]),
                (code, &expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..]),
                "{name} {kind}"
            );
        }
        for name in ["silent.test", "to-silence.test"] {
            assert_eq!(ask(&records, name, A), None, "{name}");
        }
    }

    #[test]
    fn one_answer_may_stand_for_all_and_be_taken_back() {
        let mut records = records();
        records.set_all(Some(DnsAnswer::ServerFailure)).unwrap();
        for name in ["both.test", "nobody.test"] {
            assert_eq!(ask(&records, name, RecordType::A), Some((ResponseCode::ServFail, Vec::new())));
        }
        records.set_all(None).unwrap();
        assert_eq!(ask(&records, "gone.test", RecordType::A).unwrap().0, ResponseCode::NXDomain);
    }

    #[test]
    fn names_that_are_none_are_refused() {
        let mut records = Records::default();
        let long = "a".repeat(64);
        for name in ["", ".", "a..b", &long] {
            assert!(records.set(name, DnsAnswer::Silence).is_err(), "{name:?}");
            assert!(records.set("a.test", DnsAnswer::Alias(name.to_owned())).is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_is_no_question_is_answered_as_such() {
        let reply = records().reply(&Message::query()).unwrap();
        assert_eq!(reply.metadata.response_code, ResponseCode::FormErr);
        let mut request = Message::query();
        request.metadata.op_code = OpCode::Notify;
        let reply = records().reply(&request).unwrap();
        assert_eq!(reply.metadata.response_code, ResponseCode::NotImp);
    }
}
