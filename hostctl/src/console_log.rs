//! `hostctl console-log`: what a domain printed, also one that is gone.

use anyhow::Result;
use clap_complete::engine::ArgValueCandidates;
use serde_json::json;

use crate::attach::Console;
use crate::client::Client;
use crate::complete;
use crate::connect::Options;
use crate::exit;
use crate::log_lines::{LogLines, Text};
use crate::output::Output;
use crate::xm::failure::{Failure, NAMES_HINT};

/// Print what a domain has printed on its console: of a live one, or of one that ended lately.
#[derive(clap::Args, Debug)]
pub struct ConsoleLog {
    /// The domain's name, id or uuid.
    #[arg(add = ArgValueCandidates::new(complete::domains))]
    domain: String,
    /// Go on printing what comes, until the domain is gone.
    #[arg(short, long)]
    follow: bool,
}

impl ConsoleLog {
    /// Runs the command.
    ///
    /// # Errors
    /// The control domain cannot be reached, or the output not be written.
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<u8> {
        let mut client = Client::connect(options)?;
        match Console::open(&mut client, &self.domain, self.follow)? {
            Ok(console) => {
                match console.opened.lost {
                    0 => {}
                    lost if out.is_json => out.json(&json!({ "lost_bytes": lost }))?,
                    lost => out.complain(&format!("hostctl: the first {lost} bytes are no longer kept")),
                }
                console.stream().drain(&mut client, &mut LogLines::new(Text::Safe), out, None)?;
                Ok(exit::OK)
            }
            Err(error) => match Failure::domain(&self.domain, "read the console of", error) {
                Failure::NoDomain(name) => Ok(out.fail_with(
                    exit::NO_DOMAIN,
                    &format!("Domain '{name}' does not exist."),
                    Some(NAMES_HINT),
                )),
                Failure::WithUsage(text) | Failure::Plain(text) => anyhow::bail!(text),
                other => anyhow::bail!("{other:?}"),
            },
        }
    }
}
