//! `hostctl xenstored`: the crate `xenstore` as a process of its own, on a unix socket.
//!
//! For tests, benchmarks, and anyone who wants a store without Xen. There is nothing of the store here: [`socket`] owns the path,
//! [`client`] is one connection's bytes, [`server`] one loop over all of them.

mod bells;
mod client;
mod host;
mod server;
pub(crate) mod socket;

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;
use xen_abi::DomId;
use xen_abi::xen::DOMID_FIRST_RESERVED;

use self::server::Server;
use self::socket::Socket;
use crate::connect::Options;
use crate::exit;
use crate::output::Output;

/// The domain whose rights clients have.
const CONTROL: DomId = DomId(0);

const EXAMPLES: &str = "\
Debian's tools, libxenstore and pyxs take the socket's path from the environment:
  hostctl xenstored --socket /tmp/store &
  XENSTORED_PATH=/tmp/store xenstore-write /greeting hello
  XENSTORED_PATH=/tmp/store xenstore-ls -f

A domain without Xen, to try what a guest may do:
  hostctl xenstored --socket /tmp/store --domain 5=/tmp/store-5 &
  XENSTORED_PATH=/tmp/store xenstore-write /local/domain/5/name guest
  XENSTORED_PATH=/tmp/store xenstore-chmod /local/domain/5 n5
  XENSTORED_PATH=/tmp/store-5 xenstore-write data/hello world

When clients can connect, it prints `listening on PATH`. SIGTERM, SIGINT and SIGHUP end it.
Exit code: 0 it was told to end; 1 it cannot serve this socket, the reason is on stderr.";

/// Serve a xenstore on a unix socket, without Xen.
///
/// The store is empty at first and is gone when the program ends. Every client has the control domain's rights, as with
/// upstream's servers. Only this user may connect (the socket's mode is 0600). A socket that a killed server left behind is
/// replaced, one in use is not.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Xenstored {
    /// Where the socket is made.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// Also serve domain N, with the rights and quotas of a guest, at PATH. It has one connection, as a guest has one ring: a new one
    /// closes the old one.
    #[arg(long, value_name = "N=PATH", value_parser = domain_at)]
    domain: Vec<(DomId, PathBuf)>,
}

fn domain_at(text: &str) -> Result<(DomId, PathBuf), String> {
    let (number, path) = text.split_once('=').ok_or("not of the form N=PATH")?;
    let number: u16 = number.parse().map_err(|_| format!("'{number}' is no domain's number"))?;
    let domid = DomId(number);
    if domid == CONTROL || domid >= DOMID_FIRST_RESERVED {
        return Err(format!("{number} is not a guest's number"));
    }
    if path.is_empty() {
        return Err("PATH is missing".to_owned());
    }
    Ok((domid, path.into()))
}

impl Xenstored {
    /// Runs the command: until a signal ends it.
    ///
    /// # Errors
    /// The path is taken or cannot be used, or the system gives no sockets.
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<u8> {
        let mut sockets = vec![(CONTROL, Socket::claim(&self.socket)?)];
        for (domid, path) in &self.domain {
            sockets.push((*domid, Socket::claim(path)?));
        }
        let mut server = Server::new(&sockets, options.verbose).context("cannot serve")?;
        if out.is_json {
            out.json(&json!({ "listening": self.socket }))?;
        } else {
            out.line(&format!("listening on {}", self.socket.display()))?;
        }
        out.flush()?;
        server.serve().context("cannot go on serving")?;
        Ok(exit::OK)
    }
}
