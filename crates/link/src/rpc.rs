//! What the two ends of a call remember, so that a call repeated after an accident takes effect once.
//!
//! Pure tables: they name no message type. `Id` is `proto::wire::RequestId` in both programs.

mod pending;
mod reply_cache;

pub use pending::Pending;
pub use reply_cache::{Begin, Bounds, Finish, ReplyCache, SHORT};
