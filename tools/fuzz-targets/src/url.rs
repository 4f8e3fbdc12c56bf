//! The target `url`: the URL form of a configuration, in which people put passwords.

use truename::Config;

use crate::harmless::assert_harmless;

/// Stands for a password. No text of the client has it.
const SECRET: &str = "zQ7xJ4";

/// Checks a URL as it is, and with a secret where a password is or could be.
///
/// # Panics
/// If it shows a fault.
pub fn url(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let text = without_files(text);
    match Config::from_url(&text) {
        Ok(config) => config.warnings().iter().for_each(assert_harmless),
        Err(error) => assert_harmless(error),
    }
    if text.contains(SECRET) {
        return;
    }
    for value in option_values(&text) {
        // A password in an option, with the `@` after it as an option has to have it.
        assert_hidden(&with_inserted(&text, value, &format!("{SECRET}%40")), false);
    }
    if let Some(at) = text.rfind('@') {
        // The end of a password: not even a configuration that is accepted shows it.
        assert_hidden(&with_secret(&text, at), true);
        // Before an `@`, but perhaps in a user's name, which a configuration may show.
        assert_hidden(&with_secret(&text, scheme_end(&text).min(at)), false);
    } else {
        let from = scheme_end(&text);
        let end = text[from..].find(['/', '?', '#']).map_or(text.len(), |end| from + end);
        // `rediss://user:password`, whose `@host` was forgotten.
        assert_hidden(&with_secret(&text, end), false);
    }
}

/// Options that name files get names that no file can have, so that none is opened.
fn without_files(text: &str) -> String {
    let nowhere = |text: String, option: &str| text.replace(option, &format!("{option}%00"));
    ["cert=", "key=", "crl="].into_iter().fold(text.to_owned(), nowhere)
}

fn scheme_end(text: &str) -> usize {
    text.find("://").map_or(0, |at| at + 3)
}

/// Where the values of the options begin. What comes before the scheme's end has none, and is not decoded.
fn option_values(text: &str) -> impl Iterator<Item = usize> + '_ {
    let from = scheme_end(text);
    let query = text[from..].find('?').map_or(text.len(), |at| from + at + 1);
    text[query..].match_indices('=').map(move |(at, _)| query + at + 1)
}

fn with_secret(text: &str, at: usize) -> String {
    with_inserted(text, at, SECRET)
}

fn with_inserted(text: &str, at: usize, what: &str) -> String {
    let (before, after) = text.split_at(at);
    format!("{before}{what}{after}")
}

fn assert_hidden(url: &str, even_if_accepted: bool) {
    let shown = match Config::from_url(url) {
        Err(error) => format!("{error} {error:?}"),
        Ok(config) if even_if_accepted => format!("{config:?} {:?}", config.warnings()),
        Ok(_) => return,
    };
    assert!(!shown.contains(SECRET), "{url:?} is shown as {shown}");
}
