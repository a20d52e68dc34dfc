//! Finding and reading a configuration's file.

use std::path::{Path, PathBuf};

use crate::syntax::{Assignment, parse};

/// Where files are looked for.
pub const DEFAULT_PATH: &str = ".:/etc/xen";
/// The file when none is named.
pub const DEFAULT_FILE: &str = "xmdefconfig";

/// Finds a file: as it is named, then in each directory of the colon list `path`.
///
/// # Errors
/// The text that follows `Error: `.
pub fn find(name: &str, path: &str) -> Result<PathBuf, String> {
    let in_path = path.split(':').filter(|dir| !dir.is_empty()).map(|dir| Path::new(dir).join(name));
    std::iter::once(PathBuf::from(name))
        .chain(in_path)
        // `/dev/null` is a valid empty file, so it need not be a regular one.
        .find(|candidate| candidate.exists() && !candidate.is_dir())
        .ok_or_else(|| format!("Unable to open config file: {name}"))
}

/// A path as it is announced: one that is not absolute begins with `./`.
pub fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    if path.is_absolute() || text.starts_with("./") { text } else { format!("./{text}") }
}

/// Reads a file's assignments.
///
/// # Errors
/// It cannot be read, or a line is not understood: the text that follows `Error: `.
pub fn read(path: &Path) -> Result<Vec<Assignment>, String> {
    let source = std::fs::read_to_string(path)
        .map_err(|error| format!("Cannot read file {}: {error}", path.display()))?;
    parse(&source).map_err(|error| {
        format!(
            "Errors were found at line {} while processing {}:\n\t{}\n\
             (this release reads lines of the form NAME = VALUE; values are texts in quotes, numbers and lists)",
            error.line,
            path.display(),
            error.text
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_as_named_first_and_then_along_the_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("g.cfg"), "name = 'g'").unwrap();
        let place = dir.path().join("g.cfg");
        assert_eq!(find(place.to_str().unwrap(), "."), Ok(place.clone()));
        assert_eq!(find("g.cfg", &format!("/nowhere:{}", dir.path().display())), Ok(place));
        assert_eq!(find("h.cfg", "/nowhere"), Err("Unable to open config file: h.cfg".into()));
        assert_eq!(read(&find("/dev/null", ".").unwrap()), Ok(vec![]));
    }

    #[test]
    fn a_path_that_is_not_absolute_is_shown_with_its_dot() {
        assert_eq!(shown(Path::new("a/b")), "./a/b");
        assert_eq!(shown(Path::new("./b")), "./b");
        assert_eq!(shown(Path::new("/etc/xen/b")), "/etc/xen/b");
    }

    #[test]
    fn a_line_that_is_not_understood_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("g.cfg");
        std::fs::write(&path, "name = 'g'\nmemory = 2 * 64\n").unwrap();
        let error = read(&path).unwrap_err();
        let head =
            format!("Errors were found at line 2 while processing {}:\n\tmemory = 2 * 64\n", path.display());
        assert!(error.starts_with(&head), "{error}");
    }
}
