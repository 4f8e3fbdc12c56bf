//! Made-up crates.

use super::*;

fn edges(sources: Sources) -> Vec<String> {
    let graph = Graph::of(&sources);
    graph.uses.keys().map(|(from, to)| format!("{} {}", graph.files[*from], graph.files[*to])).collect()
}

fn cycle(sources: Sources) -> Vec<String> {
    let cycle = Graph::of(&sources).cycle().unwrap_or_default();
    cycle.iter().map(ToString::to_string).collect()
}

#[test]
fn a_cycle_is_found_file_by_file() {
    let found = cycle(Sources::from([
        ("lib", "mod a; mod b; mod c; mod d;"),
        ("a", "use crate::b::B; pub struct A;"),
        ("b", "pub struct B; fn f() { super::c::g() }"),
        ("c", "use super::{a::A, d}; pub fn g() { d::h() }"),
        ("d", "pub fn h() {}"),
    ]));
    assert_eq!(
        found,
        ["a.rs -> b.rs (crate::b::B)", "b.rs -> c.rs (super::c::g)", "c.rs -> a.rs (super::a::A)"]
    );
}

#[test]
fn the_shortest_cycle_is_shown() {
    let found = cycle(Sources::from([
        ("lib", "mod a; mod b; mod c;"),
        ("a", "use crate::b::B; pub struct A;"),
        ("b", "use crate::c::C; pub struct B;"),
        ("c", "use crate::{a::A, b::B}; pub struct C;"),
    ]));
    assert_eq!(found, ["b.rs -> c.rs (crate::c::C)", "c.rs -> b.rs (crate::b::B)"]);
}

#[test]
fn a_child_and_a_parent_that_use_each_other_are_a_cycle() {
    let found = cycle(Sources::from([
        ("main", "mod a;"),
        ("a/mod", "mod child; use child::C; pub struct A(C);"),
        ("a/child", "pub struct C; fn f(a: super::A) {}"),
    ]));
    assert_eq!(found, ["a/mod.rs -> a/child.rs (child::C)", "a/child.rs -> a/mod.rs (super::A)"]);
}

#[test]
fn tests_and_texts_are_no_uses() {
    let sources = [
        ("lib", "mod a; mod b; #[cfg(test)] mod a_tests;"),
        ("a", "use crate::b::B; pub struct A;"),
        (
            "b",
            "/// [`A`](crate::a::A)
             pub struct B; // crate::a::A
             const TEXT: &str = \"crate::a::A\";
             #[cfg(test)]
             mod tests { use crate::a::A; }
             #[cfg(test)]
             fn f() { crate::a::A }",
        ),
        ("a_tests", "use crate::{a::A, b::B};"),
    ];
    assert_eq!(edges(Sources::from(sources)), ["a b"]);
}

#[test]
fn re_exports_lead_on_and_are_no_uses_themselves() {
    let sources = [
        ("lib", "mod a; mod user; pub use a::{B, renamed};"),
        ("a", "mod b; mod c; pub(crate) use b::B; pub use self::c::named as renamed; pub use c::c;"),
        ("a/b", "pub struct B;"),
        ("a/c", "pub fn named() {} pub fn c() {}"),
        ("user", "use crate::B; use crate::a; fn f() { crate::renamed(); a::c() }"),
    ];
    assert_eq!(edges(Sources::from(sources)), ["user a/b", "user a/c"]);
}

#[test]
fn a_parent_with_items_of_its_own_uses_what_it_re_exports() {
    let sources = [
        ("lib", "mod a; mod c;"),
        ("a", "mod b; pub use b::B; pub struct A;"),
        ("a/b", "pub struct B;"),
        ("c", "mod b; pub use b::B; impl B {}"),
        ("c/b", "pub struct B;"),
    ];
    assert_eq!(edges(Sources::from(sources)), ["a a/b", "c c/b"]);
}

#[test]
fn everything_of_a_module_can_be_imported() {
    let sources = [
        ("lib", "mod a; mod b; mod c;"),
        ("a", "pub use crate::b::*;"),
        ("b", "pub struct B;"),
        ("c", "use crate::a::B; use std::fmt::*;"),
    ];
    assert_eq!(edges(Sources::from(sources)), ["a b", "c b"]);
}

#[test]
fn imports_that_lead_in_a_cycle_end() {
    let sources = [
        ("lib", "mod a; mod b;"),
        ("a", "pub use crate::b::X;"),
        ("b", "pub use crate::a::X; fn f(x: X) {}"),
    ];
    assert_eq!(edges(Sources::from(sources)), Vec::<String>::new());
}

#[test]
fn layers_may_use_what_is_below_them_and_nothing_else() {
    let graph = Graph::of(&Sources::from([
        ("lib", "mod low; mod middle; mod high; mod stray; pub use high::H;"),
        ("low", "pub struct L; fn f() { crate::middle::deep::m() }"),
        ("middle/mod", "pub mod deep;"),
        ("middle/deep", "use crate::low::L; pub fn m() {}"),
        ("high", "use crate::{low::L, middle::deep::m}; pub struct H;"),
        ("stray", ""),
    ]));
    let faults = graph.faults(&["low", "middle", "high", "gone", "lib"]);
    let expected = [
        "stray.rs has no place among the layers",
        "the layer gone has no files",
        "low is below middle: low.rs -> middle/deep.rs (crate::middle::deep::m)",
    ];
    assert_eq!(faults, expected);
    let faults = graph.faults(&["middle/deep", "low", "middle", "stray", "high", "lib"]);
    assert_eq!(faults, ["middle/deep is below low: middle/deep.rs -> low.rs (crate::low::L)"]);
}
