//! `hostctl xenstore`: look into a store and change it, as Debian's `xenstore-*` tools do.
//!
//! The store is the control domain's own, reached through its line, or any xenstored's, reached by its socket. What is printed on
//! stdout is what those tools print, byte for byte; what goes wrong is told in our own words, with the path and the reason.

mod change;
mod control;
mod failure;
mod look;
mod ls;
mod perms;
mod proxy;
mod transport;
mod value;
mod watch;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use xenstore::client::{Client, ClientError, Fault, block_on};

use failure::Failure;

use crate::connect::Options;
use crate::exit;
use crate::output::Output;
use transport::Transport;

const EXAMPLES: &str = r#"Examples:
  hostctl xenstore ls -f /local/domain/1             every path, with its value
  hostctl xenstore read /local/domain/1/name
  hostctl xenstore write /tool/note 'two\nlines'     escapes: \n \t \r \\ \NNN \xNN
  hostctl xenstore chmod -r /tool/note n0 r1         domain 1 may read it and all below
  hostctl xenstore watch -n 2 /local/domain/1/data   the first event comes at once
  hostctl xenstore --socket /run/xenstored/socket ls another store: any xenstored's socket
  hostctl xenstore proxy --socket /tmp/xs &          then: XENSTORED_PATH=/tmp/xs xenstore-ls

Exit codes: 0 success; 1 the store refuses, or (exists) a node is missing; 2 the words are not understood;
3 (control) the store does not carry out the command; 4 --timeout passed; 5 other protocol version;
128+N ended by signal N."#;

/// Look into a xenstore and change it: the control domain's, or that of any xenstored.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct XenStore {
    #[command(subcommand)]
    command: Command,
    /// The store's unix socket, instead of the control domain's store. With `proxy`: where to offer that store.
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Nothing; accepted for scripts that give it to the old tools.
    #[arg(short = 's', global = true, hide = true)]
    _socket_only: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    Ls(ls::Ls),
    Read(look::Read),
    List(look::List),
    Exists(look::Exists),
    Write(change::Write),
    Rm(change::Rm),
    Mkdir(change::Mkdir),
    Chmod(change::Chmod),
    Watch(watch::Watch),
    Control(control::Control),
    Proxy(proxy::Proxy),
}

/// What every command works with.
struct Work<'a> {
    client: &'a Client,
    out: &'a mut Output,
    doing: &'a Doing,
}

/// What is being done, for the words about its failure: completes "cannot".
#[derive(Default)]
struct Doing(RefCell<String>);

impl Doing {
    /// From now on this is done.
    fn now(&self, verb: &str, path: &str) {
        *self.0.borrow_mut() = format!("{verb} {path}");
    }
}

/// Why a command ends early.
#[derive(Debug)]
enum Stop {
    /// It went wrong.
    Failed(Failure),
    /// Everything there is to say was said.
    Silent(u8),
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl XenStore {
    /// Runs the command.
    ///
    /// # Errors
    /// The control domain cannot be reached, or the output cannot be written.
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<u8> {
        let doing = Doing::default();
        match self.perform(options, &doing, out) {
            Ok(()) => Ok(exit::OK),
            Err(Stop::Silent(code)) => Ok(code),
            Err(Stop::Failed(Failure::Call(error))) => Err(error.into()),
            Err(Stop::Failed(Failure::Output(error))) => Err(error.into()),
            Err(Stop::Failed(failure)) => {
                let doing = doing.0.borrow();
                let cannot = if doing.is_empty() { String::new() } else { format!("cannot {doing}: ") };
                Ok(out.fail(failure.exit_code(), &format!("{cannot}{failure}")))
            }
        }
    }

    fn perform(&self, options: &Options, doing: &Doing, out: &mut Output) -> Result<(), Stop> {
        if let Command::Proxy(proxy) = &self.command {
            return proxy.run(self.socket.as_deref(), options, out);
        }
        let mut transport = match &self.socket {
            Some(path) => Transport::socket(path, options)?,
            None => Transport::line(options)?,
        };
        let client = Client::new();
        let lost = Cell::new(None);
        let exchange = |outgoing: &[u8], incoming: &mut [u8]| {
            transport.exchange(outgoing, incoming).map_err(|failure| {
                lost.set(Some(failure));
                Fault::Closed
            })
        };
        let done = block_on(&client, exchange, self.command.run(Work { client: &client, out, doing }));
        match (done, lost.take()) {
            // The client knows only that its connection is over.
            (Err(Stop::Failed(Failure::Store(ClientError::Ended(_)))), Some(failure)) => Err(failure.into()),
            (done, _) => done,
        }
    }
}

impl Command {
    async fn run(&self, work: Work<'_>) -> Result<(), Stop> {
        match self {
            Self::Ls(ls) => ls.run(work).await,
            Self::Read(read) => read.run(work).await,
            Self::List(list) => list.run(work).await,
            Self::Exists(exists) => exists.run(work).await,
            Self::Write(write) => write.run(work).await,
            Self::Rm(rm) => rm.run(work).await,
            Self::Mkdir(mkdir) => mkdir.run(work).await,
            Self::Chmod(chmod) => chmod.run(work).await,
            Self::Watch(watch) => watch.run(work).await,
            Self::Control(control) => control.run(work).await,
            // It has no conversation of its own.
            Self::Proxy(_) => Ok(()),
        }
    }
}
