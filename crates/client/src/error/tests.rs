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
