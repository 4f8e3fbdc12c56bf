//! The words and signs of a source text, without comments, and with a `"` in place of each string.

/// Splits a text: words, `::`, and single signs.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = if let Some(comment) = rest.strip_prefix("//") {
            comment.find('\n').map_or("", |end| &comment[end..])
        } else if let Some(comment) = rest.strip_prefix("/*") {
            after_block_comment(comment)
        } else if let Some(after) = after_string(rest) {
            tokens.push("\"");
            after
        } else if let Some(quoted) = rest.strip_prefix('\'') {
            after_quote(quoted)
        } else {
            let length = match rest.find(|next: char| !is_of_word(next)) {
                Some(0) if rest.starts_with("::") => 2,
                Some(0) => first.len_utf8(),
                Some(length) => length,
                None => rest.len(),
            };
            let (token, after) = rest.split_at(length);
            if !first.is_whitespace() {
                tokens.push(token);
            }
            after
        };
    }
    tokens
}

/// Whether a token is an identifier or a keyword.
pub(crate) fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| is_of_word(first) && !first.is_ascii_digit())
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Block comments nest.
fn after_block_comment(mut rest: &str) -> &str {
    let mut depth = 1;
    while depth > 0 {
        let (open, close) = (rest.find("/*"), rest.find("*/"));
        match (open, close) {
            (Some(open), Some(close)) if open < close => {
                depth += 1;
                rest = &rest[open + 2..];
            }
            (_, Some(close)) => {
                depth -= 1;
                rest = &rest[close + 2..];
            }
            (_, None) => return "",
        }
    }
    rest
}

/// What follows a string literal of any kind, if the text begins with one.
fn after_string(text: &str) -> Option<&str> {
    let text = text.strip_prefix(['b', 'c']).unwrap_or(text);
    if let Some(raw) = text.strip_prefix('r') {
        let body = raw.trim_start_matches('#');
        let hashes = raw.len() - body.len();
        let body = body.strip_prefix('"')?;
        let end = format!("\"{}", &raw[..hashes]);
        return Some(body.find(&end).map_or("", |at| &body[at + end.len()..]));
    }
    let mut rest = text.strip_prefix('"')?;
    loop {
        let at = rest.find(['"', '\\'])?;
        if rest[at..].starts_with('"') {
            return Some(&rest[at + 1..]);
        }
        let escaped = &rest[at + 1..];
        rest = escaped.get(escaped.chars().next()?.len_utf8()..)?;
    }
}

/// What follows a character literal or a lifetime; its first quote is gone.
fn after_quote(text: &str) -> &str {
    if let Some(escape) = text.strip_prefix('\\') {
        let code = escape.chars().next().map_or(0, char::len_utf8);
        return escape[code..].split_once('\'').map_or("", |(_, after)| after);
    }
    let first = text.chars().next().map_or(0, char::len_utf8);
    match text[first..].strip_prefix('\'') {
        Some(after) => after,
        None => text.trim_start_matches(is_of_word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_words() {
        let rows: [(&str, &[&str]); 9] = [
            ("a::b, c", &["a", "::", "b", ",", "c"]),
            ("a // b::c\nd", &["a", "d"]),
            ("a /* b /* c */ d */ e", &["a", "e"]),
            (r#"f("b::c \" d", x)"#, &["f", "(", "\"", ",", "x", ")"]),
            ("r#\"a \" b\"# c", &["\"", "c"]),
            ("b\"a\" br\"c\\\" d", &["\"", "\"", "d"]),
            ("'a' '\\'' '\\u{1b}' '\"' x", &["x"]),
            ("&'static str", &["&", "str"]),
            ("1.5e3 r x0", &["1", ".", "5e3", "r", "x0"]),
        ];
        for (text, expected) in rows {
            assert_eq!(tokens(text), expected, "{text}");
        }
    }
}
