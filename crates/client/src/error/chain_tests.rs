//! A chain of errors says nothing twice: not as `anyhow` prints it, nor as a logger does that follows `source`.

use std::error::Error as _;

use truename_resp::ErrorReply;
use truename_topology::{AddressPolicy, AnnouncedNode, Boundary, Role};

use super::traits_tests::every_cause;
use super::*;

/// An error of every variant, those that hold others with all that they can hold. One without a place here does not compile.
fn every_error() -> Vec<Error> {
    let first = Error::config_with_remedy("no seed is given", "add one with Config::seed");
    std::iter::successors(Some(first), next).collect()
}

fn next(error: &Error) -> Option<Error> {
    let node = || Endpoint::new("node", 1);
    Some(match error {
        Error::Config(_) => Error::connect(failures(), Duration::ZERO),
        Error::Connect(_) => {
            Error::Route(Box::new(RouteError::SeveralNodes { command: "FLUSHALL".to_owned() }))
        }
        Error::Route(_) => Error::Server(Box::new(ServerError {
            reply: ErrorReply::new("ERR no"),
            node: node(),
            slot: None,
            attempts: 1,
            execution: Execution::Refused,
            remedy: None,
        })),
        Error::Server(_) => Error::Protocol(Box::new(ProtocolError {
            what: "why".to_owned(),
            node: node(),
            remedy: Some(Remedy::LargerReplies),
        })),
        Error::Protocol(_) => {
            let lost = InterruptedError::new(node(), None, "no reply came".to_owned(), 2);
            let later = Error::connect(failures(), Duration::ZERO);
            Error::Interrupted(Box::new(lost.followed_by(later.in_brief())))
        }
        Error::Interrupted(_) => Error::Timeout(Box::new(TimeoutError {
            after: Duration::ZERO,
            execution: Execution::RefusedForNow,
            node: Some(node()),
            slot: None,
            attempts: 1,
            last_cause: Some("MOVED".to_owned()),
            last_refusal: None,
            remedy: Some(Remedy::MoreTime),
        })),
        Error::Timeout(_) => Error::from(TypeError::new("a number", "nil")),
        Error::Type(_) => {
            let failed = PartOutcome::new(
                Some(node()),
                None,
                Vec::new(),
                Err(Error::connect(failures(), Duration::ZERO)),
            );
            Error::partial("DBSIZE", vec![failed], true)
        }
        Error::Partial(_) => {
            let failed = Error::connect(failures(), Duration::ZERO);
            Error::InBatch(Box::new(BatchError::new(2, 12, "GET", failed)))
        }
        Error::InBatch(_) => Error::Closed,
        Error::Closed => return None,
    })
}

fn failures() -> Vec<NodeFailure> {
    let node = AnnouncedNode::new(Endpoint::new("node", 1), Role::Primary);
    let case = Case::of(&node, Phase::Tls);
    every_cause().into_iter().map(|cause| NodeFailure::new(&case, cause, Duration::ZERO)).collect()
}

/// An error of several lines was all that there was to log.
#[test]
fn every_error_has_a_line_without_advice() {
    for error in every_error() {
        let line = error.summary();
        assert!(!line.is_empty() && line.lines().count() == 1, "{line}");
        let advice = error.remedy().map(ToString::to_string);
        assert!(advice.is_none_or(|advice| !line.contains(&advice)), "{line}");
    }
    let [one, two] = [1, 2].map(|count| {
        let failures = failures().into_iter().take(count).collect();
        Error::connect(failures, Duration::ZERO).summary()
    });
    assert!(one.starts_with("cannot connect to node:1: tls: "), "{one}");
    assert!(two.ends_with(" (1 of 2 attempts that failed)"), "{two}");
    let of_batch = every_error().into_iter().find(|error| matches!(error, Error::InBatch(_))).expect("one");
    assert!(of_batch.summary().starts_with("command 3 of 12 (GET): cannot connect to "), "{of_batch:?}");
}

/// Two nodes that could not be reached had the same long advice, one after the other; so had one that was reached before.
#[test]
fn advice_on_addresses_is_given_once_and_to_whom_it_may_help() {
    let policy = AddressPolicy::new();
    let failed = |address: &str| {
        let node = AnnouncedNode::new(address.parse().expect("an address"), Role::Primary);
        let plan = policy.plan_node(&node, &Endpoint::new("seed", 1), Boundary::Lifted).expect("a plan");
        let case = Case { plan: Some(&plan), ..Case::of(&node, Phase::Tcp) };
        NodeFailure::new(&case, Cause::Refused, Duration::ZERO)
    };
    let [one, other, named] = ["10.0.0.4:1", "10.0.0.5:1", "node-6.test:1"].map(failed);
    let both = Error::connect(vec![one.clone(), other.clone()], Duration::ZERO).to_string();
    assert_eq!(both.matches("one rule says where to dial").count(), 1, "{both}");
    assert!(both.ends_with("remedy     as for 10.0.0.4:1 above"), "{both}");
    assert!(other.to_string().contains("one rule says where to dial"), "{other}");
    // The rule for addresses is not one for names.
    let unlike = Error::connect(vec![one.clone(), named], Duration::ZERO).to_string();
    assert!(!unlike.contains("as for"), "{unlike}");
    let reached = one.after_success();
    assert_eq!(reached.remedy, Some(Remedy::WentDown { port: 1 }));
    let mixed = Error::connect(vec![reached, other], Duration::ZERO).to_string();
    assert!(mixed.contains("it could be reached before") && mixed.contains("one rule says where"), "{mixed}");
}

/// The sentences of a chain, each as often as it is printed.
fn sentences(error: &Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        texts.push(error.to_string());
        source = error.source();
    }
    let all = texts.join("\n");
    let sentences = all.split(['\n', ';']).map(|sentence| sentence.trim().to_owned());
    sentences.filter(|sentence| sentence.len() > 30).collect()
}

/// `source` led from an error to its own report: `{:#}` printed the whole of it twice.
#[test]
fn no_chain_repeats_what_the_error_says() {
    for error in every_error() {
        assert!(error.source().is_none(), "{error}: its text has the whole report");
        says_nothing_twice(&error);
    }
    for failure in failures() {
        says_nothing_twice(&Error::connect(vec![failure], Duration::ZERO));
    }
}

fn says_nothing_twice(error: &Error) {
    let mut sentences = sentences(error);
    let count = sentences.len();
    sentences.sort();
    sentences.dedup();
    assert_eq!(sentences.len(), count, "{error}");
}

#[test]
fn an_error_that_follows_another_keeps_its_advice_once() {
    let timeout = every_error().into_iter().find(|error| matches!(error, Error::Timeout(_))).expect("one");
    let advice = Remedy::MoreTime.to_string();
    assert_eq!(timeout.to_string().matches(&advice).count(), 1, "{timeout}");
    let lost = InterruptedError::new(Endpoint::new("node", 1), None, "no reply came".to_owned(), 2);
    let both = Error::Interrupted(Box::new(lost.followed_by(timeout.in_brief())));
    assert_eq!(both.to_string().matches(&advice).count(), 1, "{both}");
    assert_eq!(both.remedy(), Some(&Remedy::MoreTime));
}

/// A command that was lost to a slow server keeps the advice for that, unless what follows has other advice.
#[test]
fn an_error_without_advice_keeps_that_of_the_one_before() {
    let lost = || {
        let lost = InterruptedError::new(Endpoint::new("node", 1), None, "no reply came".to_owned(), 2);
        lost.with_remedy(Some(Remedy::MorePatience))
    };
    let several = || RouteError::SeveralNodes { command: "FLUSHALL".to_owned() };
    for (later, advice) in [(RouteError::NoNodes, Remedy::MorePatience), (several(), Remedy::AllPrimaries)] {
        let both = Error::Interrupted(Box::new(lost().followed_by(Error::Route(Box::new(later)).in_brief())));
        assert_eq!(both.remedy(), Some(&advice), "{both}");
        assert_eq!(both.to_string().matches(&advice.to_string()).count(), 1, "{both}");
    }
}

#[test]
fn every_error_that_advises_does_so_in_the_words_of_whoever_prints_it() {
    for error in every_error().into_iter().filter(|error| error.remedy().is_some()) {
        let mine = error.spelled(|setting, f| write!(f, "<{setting:?}>")).to_string();
        // What a text says about the configuration as it was written is the same for everybody.
        if !matches!(error, Error::Config(_)) {
            assert!(!mine.contains("Config::") && !mine.contains("Tls::"), "{mine}");
        }
        if let Some(Remedy::MoreTime) = error.remedy() {
            assert!(mine.contains("<ConnectTimeout>"), "{mine}");
        }
    }
}
