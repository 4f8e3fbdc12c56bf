//! Secret files that every user of the machine can read.

use std::path::Path;

/// A warning if anyone beyond the owner and the group of a file may read it; `None` where that is unknown.
///
/// Called for the files of keys and passwords. Nothing but the file's own mode is looked at, and only on Unix.
///
/// ```
/// assert_eq!(truename::warn_if_exposed("the client key", "/does/not/exist"), None);
/// ```
pub fn warn_if_exposed(what: &str, path: impl AsRef<Path>) -> Option<String> {
    let path = path.as_ref();
    is_readable_by_others(path).then(|| {
        let path = path.display();
        format!("every user of this machine can read {what} in {path}: restrict that with chmod o-rwx")
    })
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    const READABLE_BY_OTHERS: u32 = 0o004;
    // What a pipe or a terminal holds is not on the disk.
    std::fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & READABLE_BY_OTHERS != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_path: &Path) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn which_modes_are_warned_of() {
        let path = std::env::temp_dir().join(format!("truename-exposed-{}", std::process::id()));
        std::fs::write(&path, "secret").unwrap();
        for (mode, warned) in [(0o600, false), (0o640, false), (0o660, false), (0o644, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let warning = warn_if_exposed("the key", &path);
            assert_eq!(warning.is_some(), warned, "{mode:o}: {warning:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(warn_if_exposed("the key", "/dev/null"), None);
    }
}
