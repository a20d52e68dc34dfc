//! Runs a command inside the peer's domain 0 and prints how long it took: `@time LABEL MILLISECONDS STATUS`.
//!
//! busybox has no clock finer than a second, and every further process is dear in an emulated machine. What the
//! command prints is shown only where it fails, each line behind `@note`.

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [label, program, arguments @ ..] = words.as_slice() else {
        eprintln!("usage: peer-timer LABEL PROGRAM [ARGUMENT...]");
        return ExitCode::from(2);
    };
    // A file, not a pipe: xl leaves a process behind that keeps its output open.
    let log = format!("/tmp/peer-timer.{}", std::process::id());
    let (out, err) = match std::fs::File::create(&log).and_then(|out| Ok((out.try_clone()?, out))) {
        Ok(files) => files,
        Err(error) => {
            println!("@note {label}: {log}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let start = Instant::now();
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(out).stderr(err).status();
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    let code = status.ok().and_then(|status| status.code()).unwrap_or(255);
    println!("@time {label} {ms:.3} {code}");
    if code != 0 {
        for line in std::fs::read_to_string(&log).unwrap_or_default().lines() {
            println!("@note {label}: {line}");
        }
    }
    // The domain 0 ends with the measurement, and its files with it.
    let _ = std::fs::remove_file(&log);
    if code == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
