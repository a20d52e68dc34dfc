//! `hostctl usage`: what the control domain itself costs.

use anyhow::Result;
use proto::endpoints::HostUsage;
use serde_json::json;

use crate::client::Client;
use crate::connect::Options;
use crate::exit;
use crate::output::Output;

/// Show what the control domain itself uses: memory and hypercalls.
#[derive(clap::Args, Debug)]
pub struct Usage;

impl Usage {
    /// Runs the command.
    ///
    /// # Errors
    /// The control domain cannot be reached, or the output not be written.
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<u8> {
        let usage = Client::connect(options)?.call::<HostUsage>(&())?;
        if out.is_json {
            out.json(&json!({
                "memory": usage.memory,
                "heap_used": usage.heap_used,
                "heap_size": usage.heap_size,
                "images": usage.images,
                "kernel_image": usage.kernel_image,
                "event_channels": usage.event_channels,
                "exits": usage.exits,
                "hypercalls": usage.hypercalls,
            }))?;
            return Ok(exit::OK);
        }
        let kib = |bytes: u64| format!("{} KiB", bytes.div_ceil(1024));
        for (name, value) in [
            ("memory", kib(usage.memory)),
            ("heap", format!("{} of {}", kib(usage.heap_used), kib(usage.heap_size))),
            ("images", kib(usage.images)),
            ("kernel image", kib(usage.kernel_image)),
            ("event channels", usage.event_channels.to_string()),
            ("exits", usage.exits.to_string()),
            ("hypercalls", usage.hypercalls.to_string()),
        ] {
            out.line(&format!("{name:<16}: {value}"))?;
        }
        Ok(exit::OK)
    }
}
