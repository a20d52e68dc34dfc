//! Setting and removing watches.

use alloc::format;

use super::nodes::ended;
use super::session::Undo;
use super::{Client, ClientError};
use crate::wire::MessageType as Type;

impl Client {
    /// Sets a watch on a path or a special name. It fires once at once; its events carry `token` ([`Self::next_event`]).
    ///
    /// `depth` bounds how many levels below the path count; only servers that offer
    /// [`ring::layout::xenstore::FEATURE_WATCHDEPTH`] know it.
    ///
    /// # Errors
    /// [`crate::Error::Exists`]: it is set. [`crate::Error::NoSpace`]: too many are.
    pub async fn watch(&self, path: &str, token: &str, depth: Option<u32>) -> Result<(), ClientError> {
        let depth = depth.map(|depth| format!("{depth}"));
        let mut args = alloc::vec![path, token];
        args.extend(depth.as_deref());
        let undo = Undo::Watch { path: path.into(), token: token.into() };
        self.call(Type::WATCH, 0, &ended(&args)?, undo).await.map(drop)
    }

    /// Removes a watch, and its events that wait.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`]: it is not set.
    pub async fn unwatch(&self, path: &str, token: &str) -> Result<(), ClientError> {
        self.ask(Type::UNWATCH, &ended(&[path, token])?).await?;
        self.session.borrow_mut().events.unwatch(path, token);
        Ok(())
    }

    /// Removes all watches and transactions of this connection.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`]: old servers do not know the request.
    pub async fn reset_watches(&self) -> Result<(), ClientError> {
        self.ask(Type::RESET_WATCHES, &[&[0]]).await?;
        self.session.borrow_mut().events.clear();
        Ok(())
    }
}
