//! Evaluates a configuration many times and tells how long it took: `cargo run --release -p xmpy --example evaluate FILE`.
//! With `-p` it prints what the script leaves instead.

use std::process::ExitCode;
use std::time::Instant;

use xmpy::{Limits, Script, System};

/// How often.
const TIMES: usize = 200;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (is_shown, file) = match arguments.as_slice() {
        [file] => (false, file),
        [option, file] if option == "-p" => (true, file),
        _ => {
            eprintln!("usage: evaluate [-p] FILE");
            return ExitCode::from(2);
        }
    };
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let host = System::new(false, false);
    let variables = [("vmid".to_owned(), "3".into())];
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..if is_shown { 1 } else { TIMES } {
        let began = Instant::now();
        let result = xmpy::run(&Script { name: file, text: &text }, &variables, &host, &Limits::default());
        took.push(began.elapsed());
        match result {
            Err(fault) => {
                eprintln!("{fault}");
                return ExitCode::FAILURE;
            }
            Ok(names) if is_shown => names.iter().for_each(|(name, value)| println!("{name} = {value:?}")),
            Ok(_) => {}
        }
    }
    took.sort();
    if !is_shown {
        println!("median {:?}, least {:?}, most {:?}, of {TIMES}", took[TIMES / 2], took[0], took[TIMES - 1]);
    }
    ExitCode::SUCCESS
}
