//! `control`: a store's own commands.

use clap::Args;
use serde_json::json;
use xenstore::Error;
use xenstore::client::ClientError;

use super::{Failure, Stop, Work};
use crate::exit;

/// Have the store itself do something, and print what it says; 'help' lists what it can.
#[derive(Args, Debug)]
pub(super) struct Control {
    /// The command and its words.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    words: Vec<String>,
}

impl Control {
    pub(super) async fn run(&self, work: Work<'_>) -> Result<(), Stop> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let reply = match work.client.control(&words).await {
            Ok(reply) => text_of(&reply),
            Err(error @ (ClientError::Refused(_) | ClientError::RefusedWith(_))) => {
                let mut text =
                    format!("the store does not carry out '{}': {}", words[0], Failure::from(error));
                if error == ClientError::Refused(Error::Invalid)
                    && let Ok(known) = work.client.control(&["help"]).await
                {
                    text.push_str(&format!("; its commands are\n{}", text_of(&known)));
                }
                return Err(Stop::Silent(work.out.fail(exit::STORE_CONTROL, &text)));
            }
            Err(error) => return Err(error.into()),
        };
        if work.out.is_json {
            work.out.json(&json!({ "reply": reply }))?;
        } else if !reply.is_empty() {
            work.out.foreign(format!("{reply}\n").as_bytes())?;
        }
        Ok(())
    }
}

/// The reply's first string.
fn text_of(reply: &[u8]) -> String {
    let end = reply.iter().position(|&byte| byte == 0).unwrap_or(reply.len());
    String::from_utf8_lossy(&reply[..end]).into_owned()
}
