//! The control domain's own log, in words for those who work on it. What was done to domains, `xm log` tells.

use anyhow::Result;
use proto::endpoints::HostLog;
use proto::host::LogOpen;
use proto::wire::StreamChannel;

use crate::attach::Stream;
use crate::client::Client;
use crate::connect::Options;
use crate::exit;
use crate::log_lines::{LogLines, Text};
use crate::output::Output;
use crate::xm::failure::Failure;

const SIGINT: i32 = rustix::process::Signal::INT.as_raw();

/// Print the control domain's own log.
#[derive(clap::Args, Debug)]
pub struct Log {
    /// Go on printing what comes.
    #[arg(short, long)]
    follow: bool,
}

impl Log {
    /// Runs the command.
    ///
    /// # Errors
    /// The control domain cannot be reached, or the output not be written.
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<u8> {
        let mut client = Client::connect(options)?;
        match copy(&mut client, self.follow, out) {
            Ok(()) => Ok(exit::OK),
            Err(Failure::Plain(text) | Failure::WithUsage(text) | Failure::Hinted { text, .. }) => {
                anyhow::bail!(text)
            }
            Err(Failure::Code(code, text)) => Ok(out.fail(code, &text)),
            Err(Failure::Output(error)) => Err(error.into()),
            Err(Failure::Silent(code)) => Ok(code),
            Err(Failure::Signal(signal)) => Ok(out.stopped(signal)),
            Err(Failure::Interrupted | Failure::NoDomain(_)) => Ok(out.stopped(SIGINT)),
        }
    }
}

fn copy(client: &mut Client, follow: bool, out: &mut Output) -> Result<(), Failure> {
    let channel = client.reserve()?;
    let opened = client.call::<HostLog>(&LogOpen { channel: StreamChannel(channel), follow })?;
    opened.map_err(|error| Failure::domain("0", "read the log of", error))?;
    Stream::on(channel).drain(client, &mut LogLines::new(Text::Safe), out, None)?;
    Ok(())
}
