//! One file as a module: what it declares, what it imports, and which paths it names.

use std::collections::BTreeSet;

use crate::tokens::{is_word, tokens};

/// A path, segment by segment.
pub(crate) type Path = Vec<String>;

/// What the text of a module says.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Modules in files of their own.
    pub(crate) children: Vec<String>,
    /// What else it defines, inline modules included.
    pub(crate) items: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    /// Modules of which everything is imported.
    pub(crate) globs: Vec<Path>,
    /// Paths outside of imports.
    pub(crate) paths: BTreeSet<Path>,
    /// Whether it does anything but declare other modules and re-export what is in them.
    pub(crate) has_own: bool,
}

/// A name that a `use` brings in.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) name: String,
    pub(crate) path: Path,
    pub(crate) is_public: bool,
}

/// What an item that is skipped as a whole begins with. Anything else behind an attribute is a field, a variant or an
/// expression and may end with a comma.
const ITEMS: [&str; 14] = [
    "async",
    "const",
    "enum",
    "extern",
    "fn",
    "impl",
    "let",
    "macro_rules",
    "mod",
    "static",
    "struct",
    "trait",
    "type",
    "use",
];

/// Keywords that the name of an item follows.
const DEFINING: [&str; 7] = ["const", "enum", "fn", "static", "struct", "trait", "type"];

impl Module {
    /// Reads a file. What is compiled for tests alone is passed over.
    pub(crate) fn read(text: &str) -> Self {
        let mut reader =
            Reader { tokens: tokens(text), at: 0, depth: 0, inline: Vec::new(), found: Self::default() };
        while reader.at < reader.tokens.len() {
            reader.step();
        }
        reader.found
    }
}

struct Reader<'a> {
    tokens: Vec<&'a str>,
    at: usize,
    /// Braces that are open.
    depth: usize,
    /// How many were when each of the inline modules around us began.
    inline: Vec<usize>,
    found: Module,
}

impl<'a> Reader<'a> {
    fn token(&self, ahead: usize) -> &'a str {
        self.tokens.get(self.at + ahead).copied().unwrap_or("")
    }

    fn before(&self) -> &'a str {
        self.at.checked_sub(1).map_or("", |at| self.tokens[at])
    }

    fn step(&mut self) {
        let is_at_file_level = self.depth == 0;
        match self.token(0) {
            "#" if self.token(1) == "[" || (self.token(1), self.token(2)) == ("!", "[") => {
                if self.attribute_is_for_tests() {
                    self.skip_item();
                }
            }
            "{" => {
                self.depth += 1;
                self.at += 1;
            }
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                self.inline.retain(|outside| *outside < self.depth);
                self.at += 1;
            }
            "mod" if self.token(2) == ";" => {
                self.found.children.push(self.token(1).to_owned());
                self.at += 3;
            }
            "mod" if self.token(2) == "{" => {
                self.define(self.token(1));
                self.inline.push(self.depth);
                self.depth += 1;
                self.at += 3;
            }
            "use" if self.token(1) != "<" => self.import(),
            "macro_rules" if self.token(1) == "!" => {
                self.define(self.token(2));
                self.at += 3;
            }
            word if is_at_file_level && DEFINING.contains(&word) && is_word(self.token(1)) => {
                if !DEFINING.contains(&self.token(1)) {
                    self.define(self.token(1));
                    self.at += 1;
                }
                self.at += 1;
            }
            "impl" => {
                self.found.has_own = true;
                self.at += 1;
            }
            word if is_word(word) => self.path(),
            _ => self.at += 1,
        }
    }

    fn define(&mut self, name: &str) {
        self.found.items.insert(name.to_owned());
        self.found.has_own = true;
    }

    /// Reads an attribute.
    fn attribute_is_for_tests(&mut self) -> bool {
        self.at += 1 + usize::from(self.token(1) == "!");
        let begin = self.at;
        self.skip_brackets();
        let words = &self.tokens[begin..self.at];
        let has = |word| words.contains(&word);
        has("cfg") && (has("test") || has("doctest")) && !has("not") && !has("any")
    }

    /// From an opening bracket to behind the closing one.
    fn skip_brackets(&mut self) {
        let mut open = 0;
        while self.at < self.tokens.len() {
            match self.token(0) {
                "(" | "[" | "{" => open += 1,
                ")" | "]" | "}" => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return;
            }
        }
    }

    /// Skips what an attribute belongs to.
    fn skip_item(&mut self) {
        while self.token(0) == "#" {
            self.at += 1;
            self.skip_brackets();
        }
        if self.token(0) == "pub" {
            self.at += 1;
            if self.token(0) == "(" {
                self.skip_brackets();
            }
        }
        let is_item = ITEMS.contains(&self.token(0));
        while self.at < self.tokens.len() {
            match self.token(0) {
                "{" => return self.skip_brackets(),
                "(" | "[" => self.skip_brackets(),
                ")" | "]" | "}" => return,
                ";" => {
                    self.at += 1;
                    return;
                }
                "," if !is_item => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }

    /// `use a::{b, c as d, e::*};`
    fn import(&mut self) {
        // After `pub(crate)` and the like, too.
        let is_public = matches!(self.before(), "pub" | ")");
        self.at += 1;
        if self.token(0) == "::" {
            // Another crate for sure.
            while !matches!(self.token(0), ";" | "") {
                self.at += 1;
            }
            return;
        }
        self.import_tree(&[], is_public);
    }

    fn import_tree(&mut self, prefix: &[String], is_public: bool) {
        let mut path = prefix.to_vec();
        loop {
            match self.token(0) {
                "{" => {
                    self.at += 1;
                    while !matches!(self.token(0), "}" | "") {
                        self.import_tree(&path, is_public);
                        self.at += usize::from(self.token(0) == ",");
                    }
                    self.at += 1;
                    return;
                }
                "*" => {
                    self.at += 1;
                    self.found.globs.extend(self.seen_from_file(path));
                    return;
                }
                segment if is_word(segment) => {
                    self.at += 1;
                    path.push(segment.to_owned());
                    if self.token(0) != "::" {
                        return self.imported(path, is_public);
                    }
                    self.at += 1;
                }
                _ => {
                    self.at += 1;
                    return;
                }
            }
        }
    }

    fn imported(&mut self, mut path: Path, is_public: bool) {
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if self.token(0) == "as" {
            name = self.token(1).to_owned();
            self.at += 2;
        }
        if let Some(path) = self.seen_from_file(path) {
            self.found.imports.push(Import { name, path, is_public });
        }
    }

    /// A word, and what follows it as a path.
    fn path(&mut self) {
        let is_rest_of_another = matches!(self.before(), "::" | ".");
        let mut path = vec![self.token(0).to_owned()];
        self.at += 1;
        while self.token(0) == "::" && is_word(self.token(1)) {
            path.push(self.token(1).to_owned());
            self.at += 2;
        }
        if path.len() > 1 && !is_rest_of_another {
            self.found.paths.extend(self.seen_from_file(path));
        }
    }

    /// The path as the module of the file would write it; `None` if it stays in an inline module.
    fn seen_from_file(&self, mut path: Path) -> Option<Path> {
        let inline = self.inline.len();
        if inline == 0 || !matches!(path.first().map(String::as_str), Some("self" | "super")) {
            return Some(path);
        }
        path.retain(|segment| segment != "self");
        let up = path.iter().take(inline).take_while(|segment| *segment == "super").count();
        if up < inline {
            return None;
        }
        path.splice(..up, ["self".to_owned()]);
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<String>, Vec<String>, Vec<String>) {
        let module = Module::read(text);
        let imports = module.imports.iter().map(|import| {
            let public = if import.is_public { "pub " } else { "" };
            format!("{public}{} = {}", import.name, import.path.join("::"))
        });
        let imports = imports.collect();
        let paths = module.paths.iter().map(|path| path.join("::")).collect();
        (module.children, module.items.into_iter().collect(), imports, paths)
    }

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn declarations_imports_and_paths_are_told_apart() {
        let text = "
            pub(crate) mod a;
            pub use a::{self, B, c::D as E};
            use std::fmt::*;
            pub const fn f(x: super::X) -> impl Sized + use<> { crate::y::z(); Self::g(); x.h::<a::I>() }
            struct S { field: fn(u8) }
            const N: usize = 1;
        ";
        let (children, items, imports, paths) = read(text);
        assert_eq!(children, ["a"]);
        assert_eq!(items, owned(&["N", "S", "f"]));
        assert_eq!(imports, ["pub a = a", "pub B = a::B", "pub E = a::c::D"]);
        assert_eq!(paths, owned(&["Self::g", "a::I", "crate::y::z", "super::X"]));
    }

    #[test]
    fn what_is_for_tests_alone_is_passed_over() {
        let text = "
            #[cfg(test)]
            mod a;
            #[cfg(test)]
            #[expect(dead_code)]
            pub(super) fn f<A, B>() -> [u8; 2] { crate::b::c() }
            #[cfg(test)]
            use crate::d::E;
            struct S { #[cfg(test)] g: crate::h::I, j: crate::k::L }
            #[cfg(not(test))]
            use crate::m::N;
            #[cfg(test)]
            mod tests { use crate::o::P; mod inner { fn q() {} } }
            use crate::r::T;
        ";
        let (children, items, imports, paths) = read(text);
        assert_eq!(children, owned(&[]));
        assert_eq!(items, ["S"]);
        assert_eq!(imports, ["N = crate::m::N", "T = crate::r::T"]);
        assert_eq!(paths, ["crate::k::L"]);
    }

    #[test]
    fn an_inline_module_is_part_of_its_file() {
        let text = "
            mod inner { use super::A; use super::super::B; fn f() { self::g(); super::h::i() } }
            use super::C;
        ";
        let (children, items, imports, paths) = read(text);
        assert_eq!(children, owned(&[]));
        assert_eq!(items, ["inner"]);
        assert_eq!(imports, ["A = self::A", "B = self::super::B", "C = super::C"]);
        assert_eq!(paths, ["self::h::i"]);
    }
}
