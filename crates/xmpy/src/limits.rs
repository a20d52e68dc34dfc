//! What a script may use up. Each limit is far above what a configuration needs, and far below what would be noticed.

use std::fmt;

/// The bounds within which a script runs.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a script, an included file or a string that is executed.
    pub source: usize,
    /// Steps: about one for each operation, and more for those on long values.
    pub steps: u64,
    /// Bytes that may be allocated in all. Nothing is given back before the end, so this also bounds what is held.
    pub memory: usize,
    /// Calls within calls.
    pub calls: usize,
    /// Levels of evaluation within each other, and of values within values where they are compared or printed.
    pub depth: usize,
    /// Files within files: `execfile`, `exec`, `import`.
    pub includes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { source: 1 << 20, steps: 10_000_000, memory: 64 << 20, calls: 200, depth: 4_000, includes: 16 }
    }
}

/// Which limit was reached; carries its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::source`].
    Source(usize),
    /// [`Limits::steps`].
    Steps(u64),
    /// [`Limits::memory`].
    Memory(usize),
    /// [`Limits::calls`].
    Calls(usize),
    /// [`Limits::depth`].
    Depth(usize),
    /// [`Limits::includes`].
    Includes(usize),
    /// How deep expressions and blocks may be nested in the text.
    Nesting(usize),
    /// Levels of values within values.
    Values(usize),
    /// Bits of an integer.
    Integer(u64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(n) => write!(f, "the text is longer than {n} bytes"),
            Self::Steps(n) => write!(f, "the script took more than {n} steps: does it end?"),
            Self::Memory(n) => write!(f, "the script used more than {n} bytes of memory"),
            Self::Calls(n) => write!(f, "more than {n} calls within each other: does the recursion end?"),
            Self::Depth(n) => write!(f, "evaluation is more than {n} levels deep"),
            Self::Includes(n) => write!(f, "more than {n} files include each other"),
            Self::Nesting(n) => write!(f, "the text is nested more than {n} levels deep"),
            Self::Integer(n) => write!(f, "an integer has more than {n} bits"),
            Self::Values(n) => write!(f, "the value is nested more than {n} levels deep"),
        }
    }
}
