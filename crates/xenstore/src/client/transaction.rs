//! Transactions, and trying them again.

use super::nodes::Nodes;
use super::session::{Undo, transaction_id};
use super::{Client, ClientError};
use crate::Error;
use crate::wire::MessageType as Type;

/// How often [`Client::transact`] tries.
pub const TRIES: u32 = 64;

/// An open transaction. Dropping it aborts it.
#[derive(Debug)]
pub struct Transaction<'a> {
    client: &'a Client,
    id: u32,
    is_ended: bool,
}

impl Client {
    /// Opens a transaction. [`Self::transact`] is for those that can be tried again.
    ///
    /// # Errors
    /// [`Error::NoSpace`]: too many are open.
    pub async fn begin(&self) -> Result<Transaction<'_>, ClientError> {
        let answer = self.call(Type::TRANSACTION_START, 0, &[&[0]], Undo::Transaction).await?;
        let id = transaction_id(&answer).ok_or_else(|| self.malformed(Type::TRANSACTION_START))?;
        Ok(Transaction { client: self, id, is_ended: false })
    }

    /// Does `work` in a transaction and commits it; what conflicts with what others did is done again, [`TRIES`] times at most. So `work`
    /// may run several times, and should do nothing but ask the store.
    ///
    /// # Errors
    /// `work`'s own: nothing happened. [`ClientError::Unstable`]: it conflicted each time. As for [`Self::begin`].
    pub async fn transact<R>(
        &self,
        mut work: impl AsyncFnMut(&Transaction<'_>) -> Result<R, ClientError>,
    ) -> Result<R, ClientError> {
        for _ in 0..TRIES {
            let transaction = self.begin().await?;
            let done = match work(&transaction).await {
                Ok(result) => transaction.commit().await.map(|()| result),
                Err(error) => {
                    // What is refused inside may be due to what others did; then the abort is due all the same.
                    transaction.abort().await?;
                    Err(error)
                }
            };
            match done {
                Err(ClientError::Refused(Error::Again)) => {}
                other => return other,
            }
        }
        Err(ClientError::Unstable)
    }
}

impl Transaction<'_> {
    /// Commits.
    ///
    /// # Errors
    /// [`Error::Again`]: it conflicts with what others did; nothing happened.
    pub async fn commit(self) -> Result<(), ClientError> {
        self.end(b"T\0").await
    }

    /// Ends it without any effect.
    ///
    /// # Errors
    /// [`ClientError::Ended`].
    pub async fn abort(self) -> Result<(), ClientError> {
        self.end(b"F\0").await
    }

    async fn end(mut self, how: &[u8]) -> Result<(), ClientError> {
        let answer = self.client.call(Type::TRANSACTION_END, self.id, &[how], Undo::Nothing).await;
        // Not before: if this future is dropped while it waits, the abort that follows ends what is still open, or is refused.
        self.is_ended = true;
        answer.map(drop)
    }
}

impl Nodes for Transaction<'_> {
    fn scope(&self) -> (&Client, u32) {
        (self.client, self.id)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.is_ended {
            self.client.session.borrow_mut().abort(self.id);
        }
    }
}
