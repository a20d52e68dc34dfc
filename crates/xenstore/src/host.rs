//! What the store asks of the program that hosts it.

use core::fmt;

use xen_abi::DomId;

use crate::Error;

/// The host's part in requests that reach beyond the store. Called while a request is being answered, with the store
/// borrowed: a host notes what it is told, and acts later.
pub trait Host: fmt::Debug + Send {
    /// INTRODUCE: prepares to serve the domain, whose ring is in its page `gfn` and whose event channel is `port`. The store
    /// knows the domain as introduced afterwards; one that was already gets a fresh connection.
    ///
    /// # Errors
    /// [`Error::Unsupported`]: domains do not come this way. Others: it cannot be served.
    fn introduce(&mut self, domid: DomId, gfn: u64, port: u32) -> Result<(), Error>;

    /// CONTROL print: says something to the operator.
    fn print(&mut self, text: &str);

    /// A line of the log of requests, while CONTROL log has it on.
    fn log(&mut self, line: &str);

    /// CONTROL logfile: the log goes to this file from now on.
    ///
    /// # Errors
    /// [`Error::Unsupported`]: there are no files.
    fn log_to(&mut self, file: &str) -> Result<(), Error> {
        let _ = file;
        Err(Error::Unsupported)
    }
}

/// A host with nothing to offer: domains are introduced by the program itself ([`crate::Store::introduce`]), and nobody listens.
#[derive(Debug)]
pub(crate) struct NoHost;

impl Host for NoHost {
    fn introduce(&mut self, _: DomId, _: u64, _: u32) -> Result<(), Error> {
        Err(Error::Unsupported)
    }

    fn print(&mut self, _: &str) {}

    fn log(&mut self, _: &str) {}
}

/// A host process without a hypervisor: whatever domain a client introduces is taken to exist, as the C server on a
/// socket does.
#[derive(Debug)]
pub struct NoXen;

impl Host for NoXen {
    fn introduce(&mut self, _: DomId, _: u64, _: u32) -> Result<(), Error> {
        Ok(())
    }

    fn print(&mut self, _: &str) {}

    fn log(&mut self, _: &str) {}
}
