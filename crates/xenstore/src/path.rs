//! Legal paths. A [`StorePath`] in hand has been checked.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt::Write as _;

use xen_abi::DomId;

use crate::Error;

/// The longest absolute path in bytes. C: `XENSTORE_ABS_PATH_MAX`.
pub(crate) const ABSOLUTE_MAX: usize = 3072;

/// The path of domain `domid`'s own directory: what its relative paths are relative to.
pub fn home(domid: DomId) -> String {
    let mut path = String::with_capacity(20);
    // Writing to a String cannot fail.
    let _ = write!(path, "/local/domain/{}", domid.0);
    path
}

/// An absolute path (`/`, `/a/b`) or the name of a special watch (`@releaseDomain`), known to be legal. A clone is the same
/// text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StorePath(Arc<str>);

impl StorePath {
    /// Reads a path as domain `whose` wrote it: one without a leading `/` or `@` is in its home.
    ///
    /// `relative_max` bounds the path's length without `/local/domain/N/`; the whole is bounded by 3072 bytes.
    ///
    /// # Errors
    /// [`Error::Invalid`]: empty, too long, a character outside `[A-Za-z0-9-/_@]`, a doubled or trailing slash.
    pub fn parse(raw: &[u8], whose: DomId, relative_max: usize) -> Result<Self, Error> {
        // Checked once, in one pass; ASCII, so the conversion cannot fail.
        if !is_legal(raw) {
            return Err(Error::Invalid);
        }
        let text = core::str::from_utf8(raw).map_err(|_| Error::Invalid)?;
        let whole: Arc<str> = if text.starts_with(['/', '@']) {
            text.into()
        } else {
            let mut whole = home(whose);
            whole.reserve_exact(text.len() + 1);
            whole.push('/');
            whole.push_str(text);
            whole.into()
        };
        if whole.len() > ABSOLUTE_MAX || without_home(&whole).len() > relative_max {
            return Err(Error::Invalid);
        }
        Ok(StorePath(whole))
    }

    /// Reads an absolute path of the control domain's own.
    ///
    /// # Errors
    /// [`Error::Invalid`]: not a legal absolute path.
    pub fn absolute(text: &str) -> Result<Self, Error> {
        if !text.starts_with('/') {
            return Err(Error::Invalid);
        }
        Self::parse(text.as_bytes(), DomId(0), ABSOLUTE_MAX)
    }

    /// The path's length as quotas count it: without `/local/domain/N/`.
    pub(crate) fn relative_len(&self) -> usize {
        without_home(&self.0).len()
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as text, shared.
    pub(crate) fn shared(&self) -> &Arc<str> {
        &self.0
    }

    /// Whether it names a special watch and no node of the tree.
    pub fn is_special(&self) -> bool {
        self.0.starts_with('@')
    }

    /// Whether it is `/`.
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// The names from the root down. None for `/`.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        names(&self.0)
    }

    /// The path of its first `depth` names, of which there are more.
    pub(crate) fn first(&self, depth: usize) -> Self {
        let mut ends = self.0.match_indices('/').map(|(at, _)| at);
        // The slash before the next name ends them; `/` itself has none to lose.
        let end = ends.nth(depth).unwrap_or(self.0.len()).max(1);
        StorePath(self.0[..end].into())
    }

    /// The directory that it is in, and its own name. None for `/` and special names.
    pub(crate) fn split_last(&self) -> Option<(&str, &str)> {
        if self.is_special() || self.is_root() {
            return None;
        }
        let slash = self.0.rfind('/')?;
        Some((&self.0[..slash.max(1)], &self.0[slash + 1..]))
    }
}

/// Whether it can be a node's own name.
pub(crate) fn is_legal_name(name: &[u8]) -> bool {
    is_legal(name) && !name.contains(&b'/')
}

/// Legal characters only, no doubled slash, none at the end but the root's own.
fn is_legal(raw: &[u8]) -> bool {
    let mut last = 0;
    for &byte in raw {
        let is_legal = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/' | b'_' | b'@');
        if !is_legal || (byte == b'/' && last == b'/') {
            return false;
        }
        last = byte;
    }
    !raw.is_empty() && (last != b'/' || raw.len() == 1)
}

/// The names in an absolute path.
pub(crate) fn names(path: &str) -> impl Iterator<Item = &str> + Clone {
    Names { rest: path }
}

/// The names that are left of a path. Not `str::split`: what that does to begin with costs more than such short names do.
#[derive(Clone)]
struct Names<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Names<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start_matches('/');
        let end = rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }
}

/// What follows `/local/domain/N/`; the whole path elsewhere.
fn without_home(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/local/domain/") else { return path };
    match rest.split_once('/') {
        Some((domid, inner)) if domid.len() <= 5 && domid.bytes().all(|b| b.is_ascii_digit()) => inner,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    fn parse(text: &str) -> Result<String, Error> {
        StorePath::parse(text.as_bytes(), DomId(3), 2048).map(|path| path.as_str().to_string())
    }

    #[test]
    fn relative_paths_are_in_the_callers_home() {
        assert_eq!(parse("x/y"), Ok("/local/domain/3/x/y".into()));
        assert_eq!(parse("/x/y"), Ok("/x/y".into()));
        assert_eq!(parse("@releaseDomain"), Ok("@releaseDomain".into()));
        assert_eq!(parse("/"), Ok("/".into()));
    }

    #[test]
    fn illegal_paths_are_refused() {
        for text in ["", "//", "/a/", "/a//b", "a/", "/a.b", "/a b", "/ä", "/a\u{7f}", "@a//b"] {
            assert_eq!(parse(text), Err(Error::Invalid), "{text:?}");
        }
        assert_eq!(StorePath::parse(b"/\xff", DomId(0), 2048), Err(Error::Invalid));
    }

    /// XSA-323: an absolute and a relative path near the limit.
    #[test]
    fn length_limits_hold_for_the_path_as_stored() {
        let long = |len: usize| "a".repeat(len);
        assert!(parse(&format!("/{}", long(2047))).is_ok());
        assert_eq!(parse(&format!("/{}", long(2048))), Err(Error::Invalid));
        assert!(parse(&long(2048)).is_ok());
        assert_eq!(parse(&long(2049)), Err(Error::Invalid));
        assert!(parse(&format!("/local/domain/65535/{}", long(2048))).is_ok());
        assert_eq!(parse(&format!("/local/domain/655350/{}", long(2048))), Err(Error::Invalid));
        let control = |len| StorePath::parse(long(len).as_bytes(), DomId(0), ABSOLUTE_MAX);
        assert!(control(ABSOLUTE_MAX - "/local/domain/0/".len()).is_ok());
        assert!(control(ABSOLUTE_MAX - "/local/domain/0/".len() + 1).is_err());
    }
}
