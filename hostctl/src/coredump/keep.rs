//! `hostctl keep-core`: what a broker starts when a domain has crashed whose rule is to keep a dump.
//!
//! The control domain has no disk: the crashed domain waits there until its dump is on this one.

use anyhow::{Context, Result};
use proto::dump::{CoreId, DumpError, DumpPause};
use proto::endpoints::CoreKept;

use super::fetch::{Refusal, Wish, fetch};
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
    /// The domain's uuid.
    #[arg(long)]
    uuid: String,
    /// The name that it crashed under.
    #[arg(long)]
    name: String,
}

impl KeepCore {
    /// Fetches it, and tells the control domain that it is kept. That there is nothing more to be kept is a success too.
    ///
    /// # Errors
    /// It is not on this disk; then the domain goes on waiting.
    pub fn run(&self, options: &Options) -> Result<()> {
        let KeepCore { id, domid, uuid, name } = self;
        let mut client = Client::connect(options)?;
        let place = place::choose(name, *domid).context(format!("no core of {name}"))?;
        if let Some(note) = &place.note {
            eprintln!("[core] {note}");
        }
        // It may have another name by now, and its name another domain.
        let wish = Wish { domain: uuid, core: Some(CoreId(*id)), pause: DumpPause::Live };
        let fetched = match fetch(&mut client, wish, &place.file) {
            Err(Refusal::NotBegun(DumpError::NotFound)) => {
                eprintln!("[core] {name}, domain {domid}: it is gone, or its core is kept elsewhere");
                return Ok(());
            }
            fetched => fetched.context(format!("no core of {name}"))?,
        };
        fetched.let_go(&mut client)?;
        eprintln!(
            "[core] {name}, domain {domid}: {} pages in {}, {} KiB on the disk, {} ms",
            fetched.pages,
            fetched.file.display(),
            fetched.on_disk / 1024,
            fetched.took.as_millis()
        );
        // Another dump would not help: whoever destroys it by hand ends this.
        if let Err(error) = client.call::<CoreKept>(&CoreId(*id))? {
            eprintln!("[core] {name}, domain {domid}: its core is kept, and it is not destroyed: {error:?}");
        }
        Ok(())
    }
}
