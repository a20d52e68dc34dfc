//! Configurations of any bytes: whatever a script is, it ends, within its allowance, and an error names a place in it.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use xmpy::{Host, Limits, PathKind, Refusal, Script, Value};

/// A machine on which every file is the script itself, so that it includes itself in every way there is.
struct Mirror<'a>(&'a [u8]);

impl Host for Mirror<'_> {
    fn path_kind(&self, path: &str) -> Option<PathKind> {
        path.ends_with('a').then_some(PathKind::File)
    }

    fn read_file(&self, _: &str, limit: usize) -> Result<Vec<u8>, Refusal> {
        Ok(self.0[..self.0.len().min(limit)].to_vec())
    }

    fn popen(&self, command: &str, limit: usize) -> Result<Vec<u8>, Refusal> {
        Ok(command.as_bytes()[..command.len().min(limit)].to_vec())
    }

    fn environ(&self) -> Vec<(String, String)> {
        vec![("HOME".to_owned(), "/root".to_owned())]
    }
}

fuzz_target!(|text: &[u8]| {
    let limits = Limits { steps: 50_000, memory: 4 << 20, ..Limits::default() };
    let variables = [("vmid".to_owned(), Value::from("3"))];
    let began = Instant::now();
    let result = xmpy::run(&Script { name: "a", text }, &variables, &Mirror(text), &limits);
    assert!(began.elapsed() < Duration::from_secs(20), "steps are about as long as each other");
    match result {
        Ok(names) => assert!(names.iter().count() <= 50_000),
        Err(fault) => {
            let lines = text.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
            // A string that was executed has lines of its own.
            assert!(fault.line >= 1 && (fault.name != "a" || fault.line <= lines), "{fault}");
            assert!(fault.column >= 1 && fault.width >= 1);
            assert!(!fault.to_string().is_empty());
        }
    }
});
