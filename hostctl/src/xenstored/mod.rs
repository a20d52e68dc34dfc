//! `hostctl xenstored`: the crate `xenstore` as a process of its own, on a unix socket.
//!
//! For tests, benchmarks, and anyone who wants a store without Xen. There is nothing of the store here: [`socket`] owns the path,
//! [`client`] is one connection's bytes, [`server`] one loop over all of them.

mod bells;
mod client;
mod server;
pub(crate) mod socket;

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use self::server::Server;
use self::socket::Socket;
use crate::connect::Options;
use crate::exit;
use crate::output::Output;

const EXAMPLES: &str = "\
Debian's tools, libxenstore and pyxs take the socket's path from the environment:
  hostctl xenstored --socket /tmp/store &
  XENSTORED_PATH=/tmp/store xenstore-write /greeting hello
  XENSTORED_PATH=/tmp/store xenstore-ls -f

When clients can connect, it prints `listening on PATH`. SIGTERM, SIGINT and SIGHUP end it.
Exit code: 0 it was told to end; 1 it cannot serve this socket, the reason is on stderr.";

/// Serve a xenstore on a unix socket, without Xen.
///
/// The store is empty at first and is gone when the program ends. Every client has the control domain's rights, as with
/// upstream's servers; only this user may connect (the socket's mode is 0600). A socket that a killed server left behind is
/// replaced, one in use is not.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Xenstored {
    /// Where the socket is made.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
}

impl Xenstored {
    /// Runs the command: until a signal ends it.
    ///
    /// # Errors
    /// The path is taken or cannot be used, or the system gives no sockets.
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<u8> {
        let socket = Socket::claim(&self.socket)?;
        let mut server = Server::new(&socket, options.verbose).context("cannot serve")?;
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
