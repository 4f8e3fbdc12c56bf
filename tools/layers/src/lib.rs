//! Which file of a crate uses which, read from the sources alone.
//!
//! - [`Sources`] is the text of a crate's files, from a directory or made up
//! - `tokens` and `module` read one file: what it declares, imports and names
//! - [`Graph`] follows every name to the file that defines it, finds cycles of files and what breaks an order of layers
//!
//! What counts: a file uses another one when a path in it leads, through whatever re-exports, to an item defined there. A
//! file that only declares modules and re-exports what is in them does not use them thereby. Methods are not seen: a call
//! does not say where the method is. What is compiled for tests alone does not count.
//!
//! `tests/workspace.rs` has the layers of this repository.

mod graph;
mod module;
mod sources;
mod tokens;

pub use graph::{Graph, Use};
pub use sources::Sources;
