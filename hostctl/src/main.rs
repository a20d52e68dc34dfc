//! The program `hostctl`; called as `xm` or `xl`, it is `hostctl xm`.

use std::process::ExitCode;

use hostctl::output::Output;

fn main() -> ExitCode {
    let args = std::env::args_os().collect();
    ExitCode::from(hostctl::cli::run(args, &mut Output::standard()))
}
