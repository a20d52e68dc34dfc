//! Where dumps go that nobody named a file for.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::clock::{LocalTime, local};
use crate::dirs;
use crate::xm::failure::reason;

/// xend's directory.
const SYSTEM: &str = "/var/xen/dump";

/// A file for a dump, in a directory that is there. When this is dropped and no file is there, neither are directories that were made
/// for it.
#[derive(Debug)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Why it is not where it should be, in words, where it is not.
    pub note: Option<String>,
    _made: Made,
}

impl Place {
    /// The file that somebody named.
    pub fn named(file: PathBuf) -> Place {
        Place { file, note: None, _made: Made(Vec::new()) }
    }
}

/// Directories that were made, the outermost first.
#[derive(Debug)]
struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        // One that has something in it stays.
        self.0.iter().rev().for_each(|dir| drop(std::fs::remove_dir(dir)));
    }
}

/// Chooses `DIR/NAME/YYYY-MMDD-HHMM.SS-NAME.DOMID.core`, and makes the directory, for its owner only. DIR is `$HOSTCTL_DUMP_DIR`,
/// else `/var/xen/dump`, else (where this user may not write there) `nanodom/dump` in the directory for users' state.
///
/// # Errors
/// None of them can be made; the text names the first.
pub fn choose(name: &str, domid: u16) -> io::Result<Place> {
    choose_among(name, domid, &roots(), local())
}

fn roots() -> Vec<PathBuf> {
    match std::env::var_os("HOSTCTL_DUMP_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => vec![dir.into()],
        None => vec![SYSTEM.into(), dirs::state().join("dump")],
    }
}

fn choose_among(name: &str, domid: u16, roots: &[PathBuf], now: LocalTime) -> io::Result<Place> {
    let mut refused: Option<(PathBuf, io::Error)> = None;
    for root in roots {
        // Names have no slashes; should one ever have, it leads nowhere else.
        let dir = root.join(Path::new(name).file_name().unwrap_or(OsStr::new("domain")));
        match make(&dir) {
            Ok(made) => {
                let file = dir.join(format!("{}-{}.{domid}.core", stamp(now), name.replace('/', "_")));
                let note = refused.map(|(dir, error)| {
                    format!(
                        "{} cannot be used ({}); it goes to {}",
                        dir.display(),
                        reason(&error),
                        file.display()
                    )
                });
                return Ok(Place { file, note, _made: made });
            }
            Err(error) => refused = refused.or(Some((dir, error))),
        }
    }
    Err(match refused {
        Some((dir, error)) => io::Error::new(
            error.kind(),
            format!(
                "{} cannot be made: {}; name a file, or set HOSTCTL_DUMP_DIR",
                dir.display(),
                reason(&error)
            ),
        ),
        None => io::Error::other("there is no directory for dumps"),
    })
}

fn make(dir: &Path) -> io::Result<Made> {
    let mut missing: Vec<PathBuf> =
        dir.ancestors().take_while(|dir| !dir.exists()).map(Path::to_owned).collect();
    missing.reverse();
    // From here on they are taken away again where something fails.
    let made = Made(missing);
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // It may have been there, and be another's.
    rustix::fs::access(dir, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?;
    Ok(made)
}

/// xend's `%Y-%m%d-%H%M.%S`.
fn stamp(now: LocalTime) -> String {
    let LocalTime { year, month, day, hour, minute, second } = now;
    format!("{year:04}-{month:02}{day:02}-{hour:02}{minute:02}.{second:02}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: LocalTime = LocalTime { year: 2026, month: 11, day: 8, hour: 4, minute: 5, second: 6 };

    #[test]
    fn the_file_is_named_as_xend_named_it_in_a_directory_of_its_owner() {
        let root = tempfile::tempdir().unwrap();
        let place = choose_among("web", 7, &[root.path().join("dump")], NOW).unwrap();
        assert_eq!(place.file, root.path().join("dump/web/2026-1108-0405.06-web.7.core"));
        assert_eq!(place.note, None);
        let mode = std::fs::metadata(root.path().join("dump/web")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn directories_that_were_made_for_nothing_go_again_and_others_stay() {
        let root = tempfile::tempdir().unwrap();
        let dump = root.path().join("var/dump");
        drop(choose_among("web", 7, std::slice::from_ref(&dump), NOW).unwrap());
        assert!(!root.path().join("var").exists());
        let place = choose_among("web", 7, std::slice::from_ref(&dump), NOW).unwrap();
        std::fs::write(&place.file, "a core").unwrap();
        // The next one makes no directory, and takes none away.
        drop(choose_among("web", 8, &[dump], NOW).unwrap());
        let file = place.file.clone();
        drop(place);
        assert!(file.exists());
    }

    #[test]
    fn where_it_cannot_be_another_directory_does_and_that_is_said() {
        let root = tempfile::tempdir().unwrap();
        let roots = ["/proc/nowhere".into(), root.path().to_owned()];
        let place = choose_among("web", 7, &roots, NOW).unwrap();
        assert!(place.file.starts_with(root.path()));
        let note = place.note.unwrap();
        assert!(note.starts_with("/proc/nowhere/web cannot be used (No such file"), "{note}");
        let error = choose_among("web", 7, &roots[..1], NOW).unwrap_err().to_string();
        assert!(
            error.starts_with("/proc/nowhere/web cannot be made: ") && error.contains("HOSTCTL_DUMP_DIR"),
            "{error}"
        );
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        for name in ["../../etc", "a/../b", ".."] {
            let place = choose_among(name, 7, &[root.path().to_owned()], NOW).unwrap();
            assert!(place.file.starts_with(root.path()));
            assert!(
                !place.file.components().any(|part| part.as_os_str() == ".."),
                "{}",
                place.file.display()
            );
        }
    }
}
