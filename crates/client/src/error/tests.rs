//! What every error answers, and how it is printed.

use truename_resp::ErrorReply;

use super::*;

#[test]
fn an_error_is_small() {
    assert!(size_of::<Error>() <= 24, "{}", size_of::<Error>());
}

/// `main` printed 700 characters of structs where the text has cause and remedy.
#[test]
fn what_main_prints_is_the_text() {
    let error = Error::config_with_remedy("no seed is given", "add one with Config::seed");
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(
        format!("{error:#?}").starts_with("Config(\n    ConfigError {\n        what: \"no seed"),
        "{error:#?}"
    );
    assert_eq!(
        (format!("{:?}", Error::Closed), format!("{:#?}", Error::Closed)),
        ("the client is closed".into(), "Closed".into())
    );
}

#[test]
fn the_documented_answers_to_may_have_executed() {
    let node = Endpoint::new("10.0.0.4", 8501);
    let timeout = |execution| {
        Error::Timeout(Box::new(TimeoutError {
            after: Duration::from_secs(1),
            execution,
            node: None,
            slot: None,
            attempts: 1,
            last_cause: None,
            last_refusal: None,
            remedy: None,
        }))
    };
    let server = |text: &'static str, execution| {
        Error::Server(Box::new(ServerError {
            reply: ErrorReply::new(text),
            node: node.clone(),
            slot: None,
            attempts: 1,
            execution,
            remedy: None,
        }))
    };
    let interrupted = Error::Interrupted(Box::new(InterruptedError::new(
        node.clone(),
        None,
        crate::lane::CloseCause::PeerClosed.no_reply(),
        1,
    )));
    // Executed? Worth another try?
    let rows = [
        (Error::config("x"), false, false),
        (Error::connect(Vec::new(), Duration::ZERO), false, false),
        (Error::Route(Box::new(RouteError::NoNodes)), false, false),
        (Error::Closed, false, false),
        (timeout(Execution::NotSent), false, true),
        (timeout(Execution::RefusedForNow), false, true),
        (timeout(Execution::Possible), true, false),
        (interrupted, true, false),
        // The code proves nothing.
        (server("MOVED 1 a:1", Execution::Possible), true, false),
        (server("MOVED 1 a:1", Execution::RefusedForNow), false, true),
        (server("NOSCRIPT No matching script.", Execution::Refused), false, false),
        (server("WRONGTYPE Operation against a key", Execution::Possible), true, false),
        (Error::from(TypeError::new("an integer", "nil")), true, false),
    ];
    for (error, executed, retryable) in rows {
        assert_eq!(error.is_retryable(), retryable, "{error}");
        assert_eq!(error.may_have_executed(), executed, "{error}");
    }
    assert!(timeout(Execution::NotSent).to_string().contains("was not sent"));
    assert!(!timeout(Execution::RefusedForNow).to_string().contains("not sent"));
}

/// What a server said last was forgotten once a connection failed after it.
#[test]
fn a_timeout_tells_of_the_last_refusal_and_who_said_it() {
    let node = || Endpoint::new("10.0.0.4", 8501);
    let refusal = || Refusal::new(ErrorReply::new("CLUSTERDOWN no\u{1b} slot"), node());
    let rows = [
        (None, None, "(the previous attempt"),
        (Some("no answer"), None, " (the previous attempt failed: no answer)"),
        (
            Some("CLUSTERDOWN no\u{1b} slot"),
            Some(refusal()),
            " (the last refusal, from 10.0.0.4:8501: CLUSTERDOWN no\\u{1b} slot)",
        ),
        (
            Some("no answer"),
            Some(refusal()),
            " (the previous attempt failed: no answer; before, 10.0.0.4:8501 said: CLUSTERDOWN no\\u{1b} slot)",
        ),
    ];
    for (cause, refusal, told) in rows {
        let error = Error::Timeout(Box::new(TimeoutError {
            after: Duration::from_secs(1),
            execution: Execution::RefusedForNow,
            node: Some(node()),
            slot: None,
            attempts: 9,
            last_cause: cause.map(str::to_owned),
            last_refusal: refusal.clone(),
            remedy: None,
        }));
        assert_eq!(error.last_refusal(), refusal.as_ref());
        assert_eq!(error.to_string().ends_with(told), cause.is_some(), "{error}");
        assert_eq!(error.to_string().contains("refusal"), told.contains("refusal"), "{error}");
    }
    let circle = RouteError::TooManyRedirects { slot: None, redirects: 26, last: Some(refusal()) };
    let circle = Error::Route(Box::new(circle));
    assert_eq!(circle.last_refusal(), Some(&refusal()));
    assert!(
        circle
            .to_string()
            .ends_with("26 redirects; the last one, from 10.0.0.4:8501: CLUSTERDOWN no\\u{1b} slot")
    );
}
