//! Requests about domains, their quotas and features, and the server itself.

use alloc::format;
use alloc::vec::Vec;

use xen_abi::DomId;

use super::{Asked, OK};
use crate::ledger::Ledger;
use crate::path::home;
use crate::quota::NAMES;
use crate::store::{FEATURES, Store};
use crate::wire::{decimal, one_string, strings};
use crate::{Error, Quota};

/// DOMID_SELF of public/xen.h: always introduced.
const DOMID_SELF: u16 = 0x7ff0;

impl Store {
    pub(super) fn get_domain_path(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let domid = domain_id(one_string(asked.payload)?)?;
        let mut path = home(domid).into_bytes();
        path.push(0);
        Ok(path)
    }

    pub(super) fn is_domain_introduced(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let domid = domain_id(one_string(asked.payload)?)?;
        let is = domid.0 == DOMID_SELF || self.is_introduced(domid);
        Ok(if is { b"T\0" } else { b"F\0" }.to_vec())
    }

    pub(super) fn release_request(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let domid = self.introduced(asked)?;
        self.release(domid);
        Ok(OK.to_vec())
    }

    pub(super) fn resume(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let domid = self.introduced(asked)?;
        if let Some(domain) = self.domains.get_mut(domid) {
            domain.is_shut_down = false;
        }
        Ok(OK.to_vec())
    }

    pub(super) fn set_target(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let mut args = strings(asked.payload);
        let (Some(domid), Some(target)) = (args.next(), args.next()) else { return Err(Error::Invalid) };
        let (domid, target) = (domain_id(domid)?, domain_id(target)?);
        if !self.is_introduced(domid) || !self.is_introduced(target) {
            return Err(Error::NotFound);
        }
        let target = self.domains.party(target);
        if let Some(domain) = self.domains.get_mut(domid) {
            domain.target = target;
        }
        Ok(OK.to_vec())
    }

    /// The one argument: an introduced domain that is not the control domain.
    pub(super) fn introduced(&self, asked: &Asked<'_>) -> Result<DomId, Error> {
        let domid = domain_id(one_string(asked.payload)?)?;
        if self.domains.is_control(domid) {
            return Err(Error::Invalid);
        }
        if self.is_introduced(domid) { Ok(domid) } else { Err(Error::NotFound) }
    }

    pub(super) fn get_feature(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let mut args = strings(asked.payload);
        let features = match (args.next(), args.next()) {
            // The protocol's empty argument list arrives as one empty string from some clients.
            (None | Some(b""), None) => self.features(asked.who.party.domid),
            _ if !asked.who.privileged => return Err(Error::Access),
            (Some(domid), None) => self.domains.get(domain_id(domid)?).ok_or(Error::NotFound)?.features,
            _ => return Err(Error::Invalid),
        };
        Ok(format!("{features}\0").into_bytes())
    }

    pub(super) fn set_feature(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let mut args = strings(asked.payload);
        let (Some(domid), Some(features), None) = (args.next(), args.next(), args.next()) else {
            return Err(Error::Invalid);
        };
        let features = decimal(features)?;
        let domain = self.domains.get_mut(domain_id(domid)?).ok_or(Error::NotFound)?;
        if domain.is_introduced {
            return Err(Error::Busy);
        }
        if features & !FEATURES != 0 {
            return Err(Error::Invalid);
        }
        domain.features = features;
        Ok(OK.to_vec())
    }

    pub(super) fn get_quota(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let args: Vec<&[u8]> = strings(asked.payload).collect();
        let (domid, name) = match args[..] {
            [] | [b""] => return Ok((NAMES.join(" ") + "\0").into_bytes()),
            [name] => (None, name),
            [domid, name] => (Some(domain_id(domid)?), name),
            _ => return Err(Error::Invalid),
        };
        let value = *self.quota_named(domid, name)?;
        Ok(format!("{value}\0").into_bytes())
    }

    pub(super) fn set_quota(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let args: Vec<&[u8]> = strings(asked.payload).collect();
        let (domid, name, value) = match args[..] {
            [name, value] => (None, name, value),
            [domid, name, value] => (Some(domain_id(domid)?), name, value),
            _ => return Err(Error::Invalid),
        };
        let value = decimal(value)?;
        *self.quota_named(domid, name)? = value;
        Ok(OK.to_vec())
    }

    pub(super) fn quota_named(&mut self, domid: Option<DomId>, name: &[u8]) -> Result<&mut u32, Error> {
        let name = core::str::from_utf8(name).map_err(|_| Error::Invalid)?;
        let quota: &mut Quota = self.quota_mut(domid).ok_or(Error::NotFound)?;
        quota.by_name(name).ok_or(Error::Invalid)
    }

    /// Commands to the server itself.
    pub(super) fn control_command(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        match strings(asked.payload).next() {
            Some(b"help") => Ok(b"check\nhelp\n\0".to_vec()),
            Some(b"check") => self.check_accounts().map(|()| OK.to_vec()),
            _ => Err(Error::Invalid),
        }
    }

    /// Domains are introduced by the toolstack in this process, who has their pages: [`Store::introduce`].
    pub(super) fn introduce_request(&mut self, _: &Asked<'_>) -> Result<Vec<u8>, Error> {
        Err(Error::Unsupported)
    }

    /// Compares the accounts with the tree.
    fn check_accounts(&self) -> Result<(), Error> {
        let mut counted = Ledger::default();
        self.tree.walk(|node| counted.add(node.perms.owner(), 1, 0));
        let wrong = |domid: DomId, nodes: usize| {
            self.domains.party(domid).is_some_and(|party| counted.of(party).0 != nodes as isize)
        };
        if self
            .domains
            .usages()
            .any(|(domid, usage)| !self.domains.is_control(domid) && wrong(domid, usage.nodes))
        {
            return Err(Error::Invalid);
        }
        Ok(())
    }
}

fn domain_id(text: &[u8]) -> Result<DomId, Error> {
    u16::try_from(decimal(text)?).map(DomId).map_err(|_| Error::Invalid)
}
