//! All that is known of domains, for `xm list --long`.

use alloc::string::String;
use alloc::vec::Vec;

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::domain::{DomainConfig, DomainInfo, DomainRef};
use crate::error::DomainError;

/// Asks for all that is known of domains. One answer may not have room for all: who wants more asks again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DetailQuery {
    /// Which, in this order; all, by name, where none is named.
    pub domains: Vec<DomainRef>,
    /// How many of them to leave out: those that are known by now.
    pub skip: u32,
}

/// Some of the domains that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DetailListing {
    /// What is known of each.
    pub details: Vec<DomainDetail>,
    /// There are more.
    pub has_more: bool,
}

/// All that is known of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DomainDetail {
    /// What it is at this moment.
    pub info: DomainInfo,
    /// What it was made of, where we made it.
    pub config: Option<DomainConfig>,
    /// Its weight and its cap (per cent of a processor, 0 for none), where its scheduler has these.
    pub share: Option<(u16, u16)>,
    /// The processors that each vCPU may run on; none listed: all.
    pub cpus: Vec<Vec<u32>>,
    /// Its security label's number; 0 without one.
    pub ssidref: u32,
    /// The frames of its rings to xenstore and its console, where we made it.
    pub rings: Option<Rings>,
}

/// The frames of a domain's two rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Rings {
    /// To xenstore.
    pub store: u64,
    /// Its console.
    pub console: u64,
}

/// The list could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DetailError {
    /// The word that is wrong; empty where none is.
    pub word: String,
    /// Why.
    pub error: DomainError,
}
