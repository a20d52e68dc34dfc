//! Finding and reading a configuration's file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where files are looked for.
pub const DEFAULT_PATH: &str = ".:/etc/xen";
/// The file when none is named.
pub const DEFAULT_FILE: &str = "xmdefconfig";
/// Bytes of a file, at most: what never ends (a device, a pipe) is no configuration.
pub const MOST_BYTES: usize = 1 << 20;

/// Finds a file: as it is named, then in each directory of the colon list `path`. The first that exists is meant.
///
/// # Errors
/// The text that follows `Error: `.
pub fn find(name: &str, path: &str) -> Result<PathBuf, String> {
    let in_path = path.split(':').filter(|dir| !dir.is_empty()).map(|dir| Path::new(dir).join(name));
    std::iter::once(PathBuf::from(name))
        .chain(in_path)
        .find(|candidate| candidate.exists())
        .ok_or_else(|| format!("Unable to open config file: {name}"))
}

/// A path as it is announced: one that is not absolute begins with `./`.
pub fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    if path.is_absolute() || text.starts_with("./") { text } else { format!("./{text}") }
}

/// The last part of a path: the name of a domain whose configuration gives none.
pub fn base(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads a file.
///
/// # Errors
/// It cannot be read, or is too long: the text that follows `Error: `.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |why: &str| format!("Cannot read file {}: {why}", path.display());
    let mut bytes = Vec::new();
    let limit = MOST_BYTES as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() > MOST_BYTES => {
            Err(cannot(&format!("more than {MOST_BYTES} bytes are no configuration")))
        }
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            Err(cannot("it is a directory; name a file in it"))
        }
        Err(error) => Err(cannot(&strerror(&error))),
    }
}

/// An error in the system's words, without its number.
fn strerror(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
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
        assert_eq!(find("g.cfg", &format!("/nowhere:{}", dir.path().display())), Ok(place.clone()));
        assert_eq!(find("h.cfg", "/nowhere"), Err("Unable to open config file: h.cfg".into()));
        assert_eq!((read(&place), base(&place)), (Ok(b"name = 'g'".to_vec()), "g.cfg".into()));
        assert_eq!(read(&find("/dev/null", ".").unwrap()), Ok(vec![]));
    }

    #[test]
    fn a_path_that_is_not_absolute_is_shown_with_its_dot() {
        assert_eq!(shown(Path::new("a/b")), "./a/b");
        assert_eq!(shown(Path::new("./b")), "./b");
        assert_eq!(shown(Path::new("/etc/xen/b")), "/etc/xen/b");
    }

    #[test]
    fn what_is_no_file_or_never_ends_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("Cannot read file {}: it is a directory; name a file in it", dir.path().display());
        assert_eq!(read(dir.path()), Err(text));
        assert_eq!(
            read(Path::new("/dev/zero")),
            Err("Cannot read file /dev/zero: more than 1048576 bytes are no configuration".into())
        );
        assert_eq!(read(Path::new("/no/f")), Err("Cannot read file /no/f: No such file or directory".into()));
    }
}
