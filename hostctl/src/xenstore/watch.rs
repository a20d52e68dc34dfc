//! `watch`.

use clap::Args;
use serde_json::json;

use super::{Stop, Work};

/// Print the paths of nodes that change, at and below the watched ones, as it happens; first each watched one itself.
#[derive(Args, Debug)]
pub(super) struct Watch {
    /// End after so many events.
    #[arg(short, long, value_name = "COUNT")]
    number: Option<u64>,
    /// Watch only so many levels below; 0 is the node alone.
    #[arg(short, long, value_name = "LEVELS")]
    depth: Option<u32>,
    /// The nodes; also @introduceDomain and @releaseDomain.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Watch {
    pub(super) async fn run(&self, work: Work<'_>) -> Result<(), Stop> {
        for key in &self.keys {
            work.doing.now("watch", key);
            // The token is the path, as Debian's tool has it.
            work.client.watch(key, key, self.depth).await?;
        }
        let mut left = self.number;
        while left != Some(0) {
            work.doing.now("wait for", "events");
            let event = work.client.next_event().await?;
            if work.out.is_json {
                let watched = String::from_utf8_lossy(&event.token);
                work.out.json(&json!({ "path": *event.path, "watched": watched }))?;
            } else {
                work.out.foreign(format!("{}\n", event.path).as_bytes())?;
            }
            work.out.flush()?;
            left = left.map(|left| left - 1);
        }
        Ok(())
    }
}
