//! `hostctl keep-core`: what a broker starts when a domain has crashed whose rule is to keep a dump.
//!
//! The control domain has no disk: the crashed domain waits there until its dump is on this one.

use anyhow::{Context, Result, bail};
use proto::dump::{CoreId, DumpPause};
use proto::endpoints::CoreKept;

use super::fetch::fetch;
use super::place;
use crate::client::Client;
use crate::connect::Options;

/// Fetch the dump of a crashed domain and let its rule go on; started by brokers.
#[derive(clap::Args, Debug)]
pub struct KeepCore {
    /// What the control domain calls it.
    #[arg(long)]
    id: u64,
    /// The domain's id.
    #[arg(long)]
    domid: u16,
    /// The name that it crashed under.
    #[arg(long)]
    name: String,
    /// The name that it has now.
    #[arg(long)]
    present_name: String,
}

impl KeepCore {
    /// Fetches it, and tells the control domain that it is kept.
    ///
    /// # Errors
    /// It is not on this disk; then the domain goes on waiting.
    pub fn run(&self, options: &Options) -> Result<()> {
        let KeepCore { id, domid, name, present_name } = self;
        let mut client = Client::connect(options)?;
        let place = place::choose(name, *domid).context(format!("no core of {name}"))?;
        if let Some(note) = place.note {
            eprintln!("[core] {note}");
        }
        let fetched = fetch(&mut client, present_name, DumpPause::Live, &place.file)
            .context(format!("no core of {name}"))?;
        fetched.let_go(&mut client)?;
        eprintln!(
            "[core] {name}, domain {domid}: {} pages in {}, {} KiB on the disk, {} ms",
            fetched.pages,
            fetched.file.display(),
            fetched.on_disk / 1024,
            fetched.took.as_millis()
        );
        match client.call::<CoreKept>(&CoreId(*id))? {
            Ok(()) => Ok(()),
            Err(error) => {
                bail!("{name}, domain {domid}: its core is kept, and its rule does not go on: {error:?}")
            }
        }
    }
}
