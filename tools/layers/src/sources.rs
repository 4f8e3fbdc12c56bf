//! The files of one crate.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Paths below `src`, without `.rs`, and the texts there.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: BTreeMap<String, String>,
}

impl Sources {
    /// Reads all of a crate's `src` directory.
    ///
    /// # Errors
    /// When something in it cannot be read.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let mut sources = Self::default();
        sources.add_all(directory, "")?;
        Ok(sources)
    }

    fn add_all(&mut self, directory: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if path.is_dir() {
                self.add_all(&path, &format!("{prefix}{name}/"))?;
            } else if let Some(name) = name.strip_suffix(".rs") {
                self.files.insert(format!("{prefix}{name}"), fs::read_to_string(&path)?);
            }
        }
        Ok(())
    }

    /// The paths of all files.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The text of the file with this path.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }
}

/// Made-up sources: path and text of each file.
impl<const N: usize> From<[(&str, &str); N]> for Sources {
    fn from(files: [(&str, &str); N]) -> Self {
        Self { files: files.map(|(path, text)| (path.to_owned(), text.to_owned())).into() }
    }
}
