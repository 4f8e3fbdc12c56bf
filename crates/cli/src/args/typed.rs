//! What an error of the parser may repeat of the command line: nothing that may hold a password.

use clap::error::{ContextKind, ContextValue};
use truename::topology::Typed;

/// Removes every text that could be a URL with credentials from an error, and escapes the others.
pub(crate) fn withhold(error: &mut clap::Error) {
    let kinds: Vec<ContextKind> = error.context().map(|(kind, _)| kind).collect();
    for kind in kinds {
        match error.get(kind).cloned() {
            Some(ContextValue::String(text)) => {
                error.insert(kind, ContextValue::String(shown(text)));
            }
            Some(ContextValue::Strings(texts)) => {
                error.insert(kind, ContextValue::Strings(texts.into_iter().map(shown).collect()));
            }
            Some(ContextValue::StyledStrs(tips)) => {
                // A tip repeats the argument too; there is nothing to put in its place.
                let harmless = tips.into_iter().filter(|tip| !tip.to_string().contains('@')).collect();
                error.insert(kind, ContextValue::StyledStrs(harmless));
            }
            Some(ContextValue::StyledStr(tip)) if tip.to_string().contains('@') => {
                error.remove(kind);
            }
            _ => {}
        }
    }
}

/// The parser adds quotes of its own.
fn shown(text: String) -> String {
    let quoted = Typed(&text).to_string();
    match quoted.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
        Some(bare) => bare.to_owned(),
        None => quoted,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::args::Cli;

    #[test]
    fn no_error_of_the_parser_repeats_a_password() {
        for line in [
            "ping a.test rediss://:sesame@b.test",
            "ping --timeout bob:sesame@b.test a.test",
            "ping --color rediss://:sesame@b.test a.test",
            "ping --bob:sesame@b.test a.test",
            "ping --resolve bob:sesame@b.test a.test",
            "ping --map bob:sesame@b.test=seed a.test",
            "ping --map bob:sesame@b.test a.test",
            "ping --verify-as bob:sesame@b.test a.test",
            "ping --profile bob:sesame@b.test a.test",
            "rediss://:sesame@b.test",
            "lab up --profile bob:sesame@b.test",
            "exec a.test bob:sesame@b.test",
        ] {
            let words = ["truename"].into_iter().chain(line.split(' '));
            let mut error = Cli::try_parse_from(words).expect_err(line);
            super::withhold(&mut error);
            let text = error.render().to_string();
            assert!(!text.contains("sesame") && !text.contains("bob"), "{line}: {text}");
        }
        let mut error =
            Cli::try_parse_from(["truename", "ping", "a.test", "b.\u{1b}test"]).expect_err("two hosts");
        super::withhold(&mut error);
        let text = error.render().to_string();
        assert!(text.contains("'b.\\u{1b}test'") && !text.contains('\u{1b}'), "{text}");
    }
}
