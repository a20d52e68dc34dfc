//! Requests about domains, their quotas and features.

use alloc::format;
use alloc::vec::Vec;
use core::iter;

use xen_abi::DomId;

use super::{Asked, OK};
use crate::path::home;
use crate::quota::{ITEMS, Item, SOFT_MEMORY};
use crate::store::{FEATURES, Store};
use crate::wire::{decimal, one_string, strings};
use crate::{Error, Quota};

/// DOMID_SELF of public/xen.h: always introduced.
const DOMID_SELF: u16 = 0x7ff0;
/// From here on numbers are no domains. C: `DOMID_FIRST_RESERVED`.
const DOMID_FIRST_RESERVED: u16 = 0x7ff0;

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

    /// What a toolstack says of a new domain. Who can serve it is the host's to know.
    pub(super) fn introduce_request(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let mut args = strings(asked.payload);
        let (Some(domid), Some(gfn), Some(port)) = (args.next(), args.next(), args.next()) else {
            return Err(Error::Invalid);
        };
        let (domid, port) = (domain_id(domid)?, decimal(port)?);
        if port == 0 || domid.0 >= DOMID_FIRST_RESERVED {
            return Err(Error::Invalid);
        }
        self.host.introduce(domid, frame_number(gfn)?, port)?;
        if !self.is_introduced(domid) {
            self.introduce(domid);
        } else if let Some(party) = self.domains.party(domid).filter(|_| !self.domains.is_control(domid)) {
            let theirs = self.conns.iter().filter(|(_, conn)| conn.party == party).map(|(id, _)| *id);
            theirs.collect::<Vec<_>>().into_iter().for_each(|conn| self.reset(conn));
        }
        Ok(OK.to_vec())
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
    fn introduced(&self, asked: &Asked<'_>) -> Result<DomId, Error> {
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
            [] | [b""] => return Ok((quota_names().join(" ") + "\0").into_bytes()),
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

    fn quota_named(&mut self, domid: Option<DomId>, name: &[u8]) -> Result<&mut u32, Error> {
        let name = core::str::from_utf8(name).map_err(|_| Error::Invalid)?;
        let quota: &mut Quota = self.quota_mut(domid).ok_or(Error::NotFound)?;
        quota.by_name(name).ok_or(Error::Invalid)
    }
}

/// The names that GET_QUOTA and SET_QUOTA know.
fn quota_names() -> Vec<&'static str> {
    let soft = |item| (item == Item::Memory).then_some(SOFT_MEMORY);
    ITEMS.iter().flat_map(|(item, name, _)| iter::once(*name).chain(soft(*item))).collect()
}

/// A frame's number: the protocol wants it "in signed decimal", so that a large one may come with a minus.
fn frame_number(text: &[u8]) -> Result<u64, Error> {
    let text = core::str::from_utf8(text).map_err(|_| Error::Invalid)?;
    let number: i64 = text.parse().map_err(|_| Error::Invalid)?;
    Ok(number.cast_unsigned())
}

pub(super) fn domain_id(text: &[u8]) -> Result<DomId, Error> {
    u16::try_from(decimal(text)?).map(DomId).map_err(|_| Error::Invalid)
}
