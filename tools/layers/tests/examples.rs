//! Whatever a user of the client can call has an example, or a link to an item that has one. Of the lower crates, which the
//! client re-exports, these are the types that users meet.
//!
//! Read from the sources alone, line by line as rustfmt leaves them. What says `pub` is public, since the lint
//! `unreachable_pub` sees to that. A function has an example if its doc comment holds a code block. A link counts if
//! its text contains "example" and its target has a code block: under a heading `# Examples` if the link leads to that, which
//! rustdoc does not check.

use std::collections::BTreeMap;
use std::path::Path;

use truename_layers::Sources;

/// A crate, its files that are looked at (all, if none is named), and how many functions were found there when this was
/// written, less a tenth: a check that finds nothing proves nothing.
const CRATES: [(&str, &str, usize); 3] = [
    ("client", "", 105),
    ("resp", "decode/mod error_reply framer limits raw_frame reply untrusted", 38),
    (
        "topology",
        "address/detect address/dial address/identity address/identity_policy address/pin address/profile address/rule \
         address/scope address/text address/trust diff endpoint node redirect slot slot_map",
        62,
    ),
];

/// Something public, with its doc comment.
struct Item {
    place: String,
    /// `function`, `Type` or `Type::function`.
    name: String,
    docs: String,
    can_be_called: bool,
}

/// What the lines that are indented belong to.
enum Block {
    Other,
    Impl(String),
    Trait(String),
}

impl Block {
    /// The block that is open after a line, if that changes it.
    fn after(line: &str) -> Option<Self> {
        if let Some(rest) = line.strip_prefix("pub trait ") {
            return Some(Self::Trait(identifier(rest).to_owned()));
        }
        let rest = line.strip_prefix("impl").filter(|rest| rest.starts_with([' ', '<']));
        let is_end = line == "}";
        rest.map(|rest| Self::Impl(implementor(rest).to_owned())).or(is_end.then_some(Self::Other))
    }

    /// The public item that a line declares, and whether it can be called.
    fn declared(&self, line: &str) -> Option<(String, bool)> {
        let public = line.trim_start().strip_prefix("pub ");
        let (code, owner) = match (public, self) {
            (None, Self::Trait(owner)) if line.starts_with("    fn ") => (line.trim_start(), Some(owner)),
            (Some(code), Self::Impl(owner) | Self::Trait(owner)) if line.starts_with(' ') => {
                (code, Some(owner))
            }
            (Some(code), _) => (code, None),
            (None, _) => return None,
        };
        let code = code.trim_start_matches("const ").trim_start_matches("async ");
        let (kind, rest) = code.split_once(' ')?;
        let can_be_called = match kind {
            "fn" => true,
            "struct" | "enum" | "trait" | "type" => false,
            _ => return None,
        };
        let name = identifier(rest);
        Some((owner.map_or_else(|| name.to_owned(), |owner| format!("{owner}::{name}")), can_be_called))
    }
}

fn identifier(text: &str) -> &str {
    let end = text.find(|next: char| !next.is_alphanumeric() && next != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The type in what follows `impl`.
fn implementor(rest: &str) -> &str {
    let mut depth = 0;
    let generics = rest.find(|next: char| {
        depth += i32::from(next == '<') - i32::from(next == '>');
        depth == 0
    });
    let rest = rest[generics.unwrap_or(0)..].trim_start_matches(['>', ' ']);
    let implementor = rest.split_once(" for ").map_or(rest, |(_, implementor)| implementor);
    let path = implementor.split(['<', ' ']).next().unwrap_or(implementor);
    path.rsplit("::").next().map_or("", identifier)
}

/// The public items of a file.
fn items(file: &str, text: &str) -> Vec<Item> {
    let (mut items, mut docs, mut block) = (Vec::new(), String::new(), Block::Other);
    for (number, line) in text.lines().enumerate().take_while(|(_, line)| *line != "mod tests {") {
        let code = line.trim_start();
        if let Some(doc) = code.strip_prefix("///") {
            docs.push_str(doc);
            docs.push('\n');
        } else if !code.starts_with("#[") && !code.starts_with("//") {
            if let Some((name, can_be_called)) = block.declared(line) {
                let (place, docs) = (format!("{file}.rs:{}", number + 1), std::mem::take(&mut docs));
                items.push(Item { place, name, docs, can_be_called });
            }
            docs.clear();
            block = Block::after(line).unwrap_or(block);
        }
    }
    items
}

/// Targets of the links with "example" in their text.
fn links(docs: &str) -> impl Iterator<Item = &str> {
    docs.match_indices("](").filter_map(move |(at, _)| {
        let text = &docs[docs[..at].rfind('[')? + 1..at];
        let target = &docs[at + 2..];
        text.contains("example").then_some(&target[..target.find(')')?])
    })
}

/// How many functions there are in these files, and which of them lack an example.
fn without_example(sources: &Sources, files: &str) -> (usize, Vec<String>) {
    let is_test = |path: &str| path == "tests" || path.ends_with("/tests") || path.ends_with("_tests");
    let is_meant =
        |path: &str| !is_test(path) && (files.is_empty() || files.split(' ').any(|file| file == path));
    let files = sources.paths().filter(|path| is_meant(path));
    let items: Vec<Item> =
        files.flat_map(|path| items(path, sources.text(path).unwrap_or_default())).collect();
    let docs: BTreeMap<&str, &str> = items.iter().map(|item| (&*item.name, &*item.docs)).collect();
    let leads_to_example = |item: &Item, target: &str| {
        let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
        let owner = item.name.split_once("::").map_or("Self", |(owner, _)| owner);
        let segments: Vec<&str> =
            path.split("::").map(|word| if word == "Self" { owner } else { word }).collect();
        let names = [
            segments[segments.len().saturating_sub(2)..].join("::"),
            segments[segments.len() - 1].to_owned(),
        ];
        let found = names.iter().find_map(|name| docs.get(&**name));
        found.is_some_and(|docs| {
            docs.contains("```") && (fragment.is_empty() || docs.contains(" # Examples\n"))
        })
    };
    let callable: Vec<&Item> = items.iter().filter(|item| item.can_be_called).collect();
    let missing = callable.iter().filter(|item| {
        !item.docs.contains("```") && !links(&item.docs).any(|target| leads_to_example(item, target))
    });
    (callable.len(), missing.map(|item| format!("{} {}", item.place, item.name)).collect())
}

#[test]
fn whatever_can_be_called_has_an_example() {
    for (name, files, least) in CRATES {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../crates/{name}/src"));
        let sources =
            Sources::read(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let (count, missing) = without_example(&sources, files);
        assert!(
            missing.is_empty(),
            "crates/{name}, without an example or a link to one:\n  {}",
            missing.join("\n  ")
        );
        assert!(count >= least, "only {count} functions in crates/{name}");
    }
}

#[test]
fn what_counts_as_an_example() {
    let with = "/// # Examples\n/// ```\n/// ```\npub struct With;\n/// ```\n/// ```\npub struct Headless;\n";
    for (text, missing) in [
        ("pub fn f() {}", "f"),
        ("/// ```\n/// ```\n#[must_use]\npub const fn f() {}", ""),
        ("pub(crate) fn f() {}\nfn g() {}\npub const N: u8 = 1;", ""),
        ("impl<'a> A<'a> {\n    pub async fn f(&self) {}\n}\npub fn g() {}", "A::f g"),
        ("pub trait T: Sized {\n    fn f();\n}\nimpl T for A {\n    fn f() {}\n}", "T::f"),
        ("mod tests {\n    pub fn f() {}\n}", ""),
        ("/// See the [example](With#examples).\npub fn f() {}", ""),
        ("/// See the [example](crate::a::With).\npub fn f() {}", ""),
        ("/// See [With](With).\npub fn f() {}", "f"),
        ("/// See the [example](Headless).\npub fn f() {}", ""),
        ("/// See the [example](Headless#examples).\npub fn f() {}", "f"),
        ("/// See the [example](Nowhere).\npub fn f() {}", "f"),
        ("impl A {\n    /// ```\n    pub fn f() {}\n    /// [example](Self::f)\n    pub fn g() {}\n}", ""),
    ] {
        let sources = Sources::from([("lib", &*format!("{with}{text}"))]);
        let (_, faults) = without_example(&sources, "");
        let names: Vec<&str> = faults.iter().filter_map(|fault| Some(fault.split_once(' ')?.1)).collect();
        assert_eq!(names.join(" "), missing, "{text}");
    }
}
