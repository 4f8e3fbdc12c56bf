//! Results as JSON lines, one file per day: the raw material of every table.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::Failure;
use crate::machine;
use crate::run::Measurement;
use crate::subjects::Kind;

/// One client's run of a cell in one round.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) client: Kind,
    pub(crate) round: usize,
    pub(crate) outcome: Result<Measurement, Failure>,
}

/// An open file of results.
pub(crate) struct Records {
    file: File,
    pub(crate) path: PathBuf,
}

impl Records {
    /// Opens today's file for appending.
    pub(crate) fn open(directory: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(directory)?;
        let path = directory.join(format!("{}.jsonl", machine::today()));
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(Self { file, path })
    }

    pub(crate) fn write(&mut self, record: &impl Serialize) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        Ok(self.file.write_all(&line)?)
    }
}
