//! Files and who uses whom.

#[cfg(test)]
mod tests;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use crate::Sources;
use crate::module::Module;

/// Re-exports that are followed from one path at most: some lead back to themselves.
const MOST_STEPS: usize = 16;

/// The files of a crate and their uses of each other.
#[derive(Debug)]
pub struct Graph {
    files: Vec<String>,
    uses: BTreeMap<(usize, usize), BTreeSet<String>>,
}

/// One file uses another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The file that names something, as its path below `src` without `.rs`.
    pub from: String,
    /// The file that defines it.
    pub to: String,
    /// What is named, as it is written.
    pub names: Vec<String>,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.rs -> {}.rs ({})", self.from, self.to, self.names.join(", "))
    }
}

impl Graph {
    /// Reads all files that the root, `lib` or `main`, leads to.
    #[must_use]
    pub fn of(sources: &Sources) -> Self {
        let tree = Tree::of(sources);
        let mut uses: BTreeMap<(usize, usize), BTreeSet<String>> = BTreeMap::new();
        for (from, node) in tree.nodes.iter().enumerate() {
            let Module { imports, globs, paths, has_own, .. } = &node.module;
            // A file of re-exports uses nothing thereby.
            let imported = imports.iter().filter(|import| *has_own || !import.is_public);
            for path in imported.map(|import| &import.path).chain(paths) {
                if let Some(Target::Item(to)) = tree.find(from, path, MOST_STEPS)
                    && to != from
                {
                    uses.entry((from, to)).or_default().insert(path.join("::"));
                }
            }
            for path in globs {
                if let Some(Target::Item(to) | Target::Module(to)) = tree.find(from, path, MOST_STEPS)
                    && to != from
                {
                    uses.entry((from, to)).or_default().insert(format!("{}::*", path.join("::")));
                }
            }
        }
        Self { files: tree.nodes.into_iter().map(|node| node.file).collect(), uses }
    }

    /// The files that were read.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// How many pairs of files use each other in one direction.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.uses.len()
    }

    /// A shortest cycle of files, if there is any.
    #[must_use]
    pub fn cycle(&self) -> Option<Vec<Use>> {
        let cycles = (0..self.files.len()).filter_map(|file| self.way_back(file));
        let cycle = cycles.min_by_key(Vec::len)?;
        let next = cycle.iter().cycle().skip(1);
        Some(cycle.iter().zip(next).map(|(from, to)| self.edge(*from, *to)).collect())
    }

    /// The files of a shortest way from a file to itself.
    fn way_back(&self, start: usize) -> Option<Vec<usize>> {
        let mut came_from = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(file) = queue.pop_front() {
            for &(_, to) in self.uses.range((file, 0)..(file + 1, 0)).map(|(edge, _)| edge) {
                if to == start {
                    let mut way = vec![file];
                    while let Some(before) = way.last().and_then(|last| came_from.get(last)) {
                        way.push(*before);
                    }
                    way.reverse();
                    return Some(way);
                }
                if let Entry::Vacant(unknown) = came_from.entry(to) {
                    unknown.insert(file);
                    queue.push_back(to);
                }
            }
        }
        None
    }

    fn edge(&self, from: usize, to: usize) -> Use {
        let names = self.uses.get(&(from, to)).into_iter().flatten().cloned().collect();
        Use { from: self.files[from].clone(), to: self.files[to].clone(), names }
    }

    /// What breaks an order of layers, in which each may use those before it. A layer is a file or a directory; within one,
    /// anything goes. Files without a layer and layers without files are wrong, too.
    #[must_use]
    pub fn faults(&self, order: &[&str]) -> Vec<String> {
        let layers: Vec<Option<usize>> = self.files.iter().map(|file| layer_of(file, order)).collect();
        let mut faults = Vec::new();
        for (file, layer) in self.files.iter().zip(&layers) {
            if layer.is_none() {
                faults.push(format!("{file}.rs has no place among the layers"));
            }
        }
        for (position, layer) in order.iter().enumerate() {
            if !layers.contains(&Some(position)) {
                faults.push(format!("the layer {layer} has no files"));
            }
        }
        for &(from, to) in self.uses.keys() {
            if let (Some(lower), Some(upper)) = (layers[from], layers[to])
                && lower < upper
            {
                let (lower, upper) = (order[lower], order[upper]);
                faults.push(format!("{lower} is below {upper}: {}", self.edge(from, to)));
            }
        }
        faults
    }
}

/// The layer with the longest path that leads to the file.
fn layer_of(file: &str, order: &[&str]) -> Option<usize> {
    let leads_to =
        |layer: &str| file.strip_prefix(layer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let layers = order.iter().enumerate().filter(|(_, layer)| leads_to(layer));
    layers.max_by_key(|(_, layer)| layer.len()).map(|(position, _)| position)
}

/// The modules of a crate; the root comes first.
struct Tree {
    nodes: Vec<Node>,
}

struct Node {
    file: String,
    parent: usize,
    children: BTreeMap<String, usize>,
    module: Module,
}

/// What a path leads to.
enum Target {
    /// An item that is defined in this file.
    Item(usize),
    /// This file's module.
    Module(usize),
}

impl Tree {
    fn of(sources: &Sources) -> Self {
        let mut tree = Self { nodes: Vec::new() };
        if let Some(root) = ["lib", "main"].into_iter().find(|root| sources.text(root).is_some()) {
            tree.add(sources, root.to_owned(), "", 0);
        }
        tree
    }

    /// Adds a file and all below it, whose files are in `directory`.
    fn add(&mut self, sources: &Sources, file: String, directory: &str, parent: usize) -> usize {
        let module = Module::read(sources.text(&file).unwrap_or(""));
        let names = module.children.clone();
        let this = self.nodes.len();
        self.nodes.push(Node { file, parent, children: BTreeMap::new(), module });
        for name in names {
            let path = format!("{directory}{name}");
            let files = [path.clone(), format!("{path}/mod")];
            if let Some(file) = files.into_iter().find(|file| sources.text(file).is_some()) {
                let child = self.add(sources, file, &format!("{path}/"), this);
                self.nodes[this].children.insert(name, child);
            }
        }
        this
    }

    /// Follows a path that is written in a module; `None` if it leads out of the crate, or nowhere.
    fn find(&self, from: usize, path: &[String], steps: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(0, rest, steps),
            "self" => self.descend(from, rest, steps),
            "super" => self.ascend(from, rest, steps),
            name => {
                let Node { children, module, .. } = &self.nodes[from];
                let is_known = children.contains_key(name)
                    || module.items.contains(name)
                    || module.imports.iter().any(|import| import.name == name);
                if is_known { self.descend(from, path, steps) } else { None }
            }
        }
    }

    fn ascend(&self, from: usize, rest: &[String], steps: usize) -> Option<Target> {
        let parent = self.nodes[from].parent;
        match rest.split_first() {
            Some((next, rest)) if next == "super" => self.ascend(parent, rest, steps),
            _ => self.descend(parent, rest, steps),
        }
    }

    fn descend(&self, mut at: usize, path: &[String], steps: usize) -> Option<Target> {
        let mut path = path;
        while let Some((name, rest)) = path.split_first() {
            let Node { children, module, .. } = &self.nodes[at];
            if name == "super" {
                return self.ascend(at, rest, steps);
            }
            let child = children.get(name).copied();
            // A module may have the name of a function that is re-exported from it.
            if child.is_none() || rest.is_empty() {
                if module.items.contains(name) {
                    return Some(Target::Item(at));
                }
                if let Some(import) = module.imports.iter().find(|import| import.name == *name) {
                    let steps = steps.checked_sub(1)?;
                    let path: Vec<String> = import.path.iter().chain(rest).cloned().collect();
                    let found = self.find(at, &path, steps);
                    if found.is_some() || child.is_none() {
                        return found;
                    }
                }
            }
            let Some(child) = child else {
                return self.behind_glob(at, path, steps).or(Some(Target::Item(at)));
            };
            (at, path) = (child, rest);
        }
        Some(Target::Module(at))
    }

    /// What a module that imports everything of another one has from there.
    fn behind_glob(&self, at: usize, path: &[String], steps: usize) -> Option<Target> {
        let steps = steps.checked_sub(1)?;
        let name = path.first()?;
        let mut sources = self.nodes[at].module.globs.iter().filter_map(|glob| self.find(at, glob, steps));
        let has = |source: &Target| match source {
            Target::Module(module) => {
                let Node { children, module, .. } = &self.nodes[*module];
                children.contains_key(name)
                    || module.items.contains(name)
                    || module.imports.iter().any(|import| import.name == *name)
            }
            // An enum, perhaps, whose variants are not listed.
            Target::Item(_) => true,
        };
        match sources.find(has)? {
            Target::Module(module) => self.descend(module, path, steps),
            item => Some(item),
        }
    }
}
