//! Every file of the fuzzer's corpus, and mutations of each, through its target: the same inputs in every run.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::mutated;
use truename_fuzz_targets::{Random, TARGETS, Target};

/// More would be a burden to everybody who clones the repository.
const MOST_BYTES: usize = 300 << 10;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// Names and contents, in the order of the names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = fuzz().join("corpus").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let read = |path: PathBuf| {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        (name, fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    };
    let mut files: Vec<_> = entries.map(|entry| read(entry.expect("an entry").path())).collect();
    files.sort();
    files
}

/// Says on the way out of a panic which input it was.
struct Tried<'a> {
    target: &'a str,
    file: &'a str,
    mutation: Option<usize>,
    input: &'a [u8],
}

impl Drop for Tried<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { target, file, mutation, input } = self;
            eprintln!("{target}: {file}, mutation {mutation:?}: b\"{}\"", input.escape_ascii());
        }
    }
}

fn replay(name: &str, mutations: usize) {
    let (target, check): Target = TARGETS.into_iter().find(|(target, _)| *target == name).expect("a target");
    let corpus = corpus(target);
    assert!(corpus.len() >= 5, "the corpus of {target} has {} files", corpus.len());
    for (file, original) in &corpus {
        let try_it = |mutation, input: &[u8]| {
            let _tried = Tried { target, file, mutation, input };
            check(input);
        };
        try_it(None, original);
        let mut random = Random::of(file.as_bytes());
        for mutation in 0..mutations {
            let (_, donor) = &corpus[random.below(corpus.len())];
            try_it(Some(mutation), &mutated(original, donor, &mut random));
        }
    }
}

#[test]
fn resp() {
    replay("resp", 1000);
}

#[test]
fn framer() {
    replay("framer", 500);
}

#[test]
fn topology() {
    replay("topology", 400);
}

#[test]
fn redirect() {
    replay("redirect", 4000);
}

#[test]
fn url() {
    replay("url", 2000);
}

#[test]
fn rule() {
    replay("rule", 2000);
}

#[test]
fn certificate() {
    replay("certificate", 2000);
}

#[test]
fn revocation() {
    replay("revocation", 2000);
}

/// The fuzzer is not built by the tests, so at least its list is compared with this one.
#[test]
fn the_fuzzer_has_every_target() {
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("the fuzzer's manifest");
    for (target, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"\n")), "fuzz/Cargo.toml lacks {target}");
        let file = fuzz().join(format!("fuzz_targets/{target}.rs"));
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(
            text.contains(&format!("truename_fuzz_targets::{target}(")),
            "{} calls another",
            file.display()
        );
    }
}

#[test]
fn the_corpus_is_small() {
    let sizes = TARGETS.map(|(target, _)| corpus(target).iter().map(|(_, bytes)| bytes.len()).sum());
    let total: usize = sizes.iter().sum();
    assert!(total <= MOST_BYTES, "{total} bytes: {sizes:?}");
}
