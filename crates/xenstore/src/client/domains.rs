//! Requests about domains, their features and quotas, and the server itself. All but [`Client::get_domain_path`] and the caller's own
//! features are for privileged callers; others get [`crate::Error::Access`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::{FromStr, from_utf8};

use xen_abi::DomId;

use super::nodes::ended;
use super::{Client, ClientError};
use crate::wire::{MessageType as Type, one_string};

impl Client {
    /// The domain's home.
    ///
    /// # Errors
    /// [`ClientError::Ended`].
    pub async fn get_domain_path(&self, domid: DomId) -> Result<String, ClientError> {
        self.string(Type::GET_DOMAIN_PATH, &[&number(domid)]).await
    }

    /// Whether the server serves the domain.
    ///
    /// # Errors
    /// [`crate::Error::Access`].
    pub async fn is_domain_introduced(&self, domid: DomId) -> Result<bool, ClientError> {
        match self.string(Type::IS_DOMAIN_INTRODUCED, &[&number(domid)]).await?.as_str() {
            "T" => Ok(true),
            "F" => Ok(false),
            _ => Err(self.malformed(Type::IS_DOMAIN_INTRODUCED)),
        }
    }

    /// Has the server serve the domain, whose page is `gfn` (or its grant for the store) and whose unbound event channel is `port`.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`], and what the server meets when it maps and binds them.
    pub async fn introduce(&self, domid: DomId, gfn: u64, port: u32) -> Result<(), ClientError> {
        let (gfn, port) = (format!("{gfn}"), format!("{port}"));
        self.said(Type::INTRODUCE, &[&number(domid), &gfn, &port]).await
    }

    /// Has the server forget the domain.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`].
    pub async fn release(&self, domid: DomId) -> Result<(), ClientError> {
        self.said(Type::RELEASE, &[&number(domid)]).await
    }

    /// Lets `@releaseDomain` fire once more for a domain that had shut down, and runs again.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`].
    pub async fn resume(&self, domid: DomId) -> Result<(), ClientError> {
        self.said(Type::RESUME, &[&number(domid)]).await
    }

    /// Gives `domid`, a device model, the rights of `target`.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`].
    pub async fn set_target(&self, domid: DomId, target: DomId) -> Result<(), ClientError> {
        self.said(Type::SET_TARGET, &[&number(domid), &number(target)]).await
    }

    /// A domain's features, or (None) those that are offered to the caller: the `FEATURE_` constants of [`ring::layout::xenstore`].
    ///
    /// # Errors
    /// [`crate::Error::NotFound`], [`crate::Error::Unsupported`].
    pub async fn get_feature(&self, domid: Option<DomId>) -> Result<u32, ClientError> {
        // Without an argument an empty one: upstream's own clients send one nul too.
        let domid = domid.map(number).unwrap_or_default();
        self.number(Type::GET_FEATURE, &[&domid]).await
    }

    /// Sets the features that a domain will be offered, before it is introduced.
    ///
    /// # Errors
    /// [`crate::Error::Busy`]: too late. [`crate::Error::Invalid`]: unknown features.
    pub async fn set_feature(&self, domid: DomId, features: u32) -> Result<(), ClientError> {
        self.said(Type::SET_FEATURE, &[&number(domid), &format!("{features}")]).await
    }

    /// The names of all quotas.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`].
    pub async fn quota_names(&self) -> Result<Vec<String>, ClientError> {
        let names = self.string(Type::GET_QUOTA, &[""]).await?;
        Ok(names.split_ascii_whitespace().map(String::from).collect())
    }

    /// A domain's quota, or (None) that of domains to come. 0 is no limit.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`]: no such quota. [`crate::Error::NotFound`]: no such domain.
    pub async fn get_quota(&self, domid: Option<DomId>, name: &str) -> Result<u32, ClientError> {
        let domid = domid.map(number);
        let args: Vec<&str> = domid.as_deref().into_iter().chain([name]).collect();
        self.number(Type::GET_QUOTA, &args).await
    }

    /// Sets a domain's quota, or (None) that of domains to come.
    ///
    /// # Errors
    /// As for [`Self::get_quota`].
    pub async fn set_quota(&self, domid: Option<DomId>, name: &str, value: u32) -> Result<(), ClientError> {
        let (domid, value) = (domid.map(number), format!("{value}"));
        let args: Vec<&str> = domid.as_deref().into_iter().chain([name, &value]).collect();
        self.said(Type::SET_QUOTA, &args).await
    }

    /// A command to the server itself, such as `["check"]`; returns its answer, without the nul at the end where it has one.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`]: no such command.
    pub async fn control(&self, words: &[&str]) -> Result<Vec<u8>, ClientError> {
        let mut answer = self.ask(Type::CONTROL, &ended(words)?).await?;
        if answer.last() == Some(&0) {
            answer.pop();
        }
        Ok(answer)
    }

    /// Asks for nothing but that it is done.
    async fn said(&self, ty: Type, args: &[&str]) -> Result<(), ClientError> {
        self.ask(ty, &ended(args)?).await.map(drop)
    }

    /// Asks for one string of text.
    async fn string(&self, ty: Type, args: &[&str]) -> Result<String, ClientError> {
        let answer = self.ask(ty, &ended(args)?).await?;
        let text = one_string(&answer).ok().and_then(|text| from_utf8(text).ok());
        text.map(String::from).ok_or_else(|| self.malformed(ty))
    }

    async fn number(&self, ty: Type, args: &[&str]) -> Result<u32, ClientError> {
        let text = self.string(ty, args).await?;
        u32::from_str(&text).map_err(|_| self.malformed(ty))
    }
}

fn number(domid: DomId) -> String {
    format!("{}", domid.0)
}
