//! Requests that read and change nodes.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Asked, OK};
use crate::Error;
use crate::node::Node;
use crate::ops::{Op, check_new_perms, find};
use crate::path::StorePath;
use crate::perms::{Access, Perm, Perms};
use crate::quota::Item;
use crate::store::Store;
use crate::transaction::Part;
use crate::wire::{PAYLOAD_MAX, decimal, one_string, strings};

impl Store {
    pub(super) fn read_value(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let path = self.path(asked, one_string(asked.payload)?)?;
        Ok(self.look(asked, &path, Part::Value)?.value().to_vec())
    }

    pub(super) fn directory(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let path = self.path(asked, one_string(asked.payload)?)?;
        let node = self.look(asked, &path, Part::List)?;
        if node.list_len() > PAYLOAD_MAX {
            return Err(Error::TooBig);
        }
        let mut list = Vec::with_capacity(node.list_len());
        for child in node.children().iter() {
            list.extend_from_slice(child.name());
            list.push(0);
        }
        Ok(list)
    }

    pub(super) fn directory_part(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let mut args = strings(asked.payload);
        let (Some(path), Some(offset), None) = (args.next(), args.next(), args.next()) else {
            return Err(Error::Invalid);
        };
        let (path, offset) = (self.path(asked, path)?, decimal(offset)? as usize);
        let node = self.look(asked, &path, Part::List)?;
        let mut part = format!("{}\0", node.generation).into_bytes();
        let (mut at, mut is_end) = (0, true);
        for child in node.children().iter() {
            let len = child.name().len() + 1;
            if at >= offset {
                // One byte stays for the mark of the end.
                if part.len() + len >= PAYLOAD_MAX {
                    is_end = false;
                    break;
                }
                part.extend_from_slice(child.name());
                part.push(0);
            }
            at += len;
        }
        if is_end {
            part.push(0);
        }
        Ok(part)
    }

    pub(super) fn get_perms(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let path = self.path_or_special(asked, one_string(asked.payload)?)?;
        if path.is_special() {
            let perms = self.special_perms(path.as_str()).cloned();
            let perms = perms.filter(|perms| perms.allows(&asked.who, Access::Read));
            let perms = perms.ok_or(if asked.who.privileged { Error::NotFound } else { Error::Access })?;
            return Ok(perms.encode(|party| self.domains.is_alive(party)));
        }
        let node = self.look(asked, &path, Part::Perms)?;
        Ok(node.perms.encode(|party| self.domains.is_alive(party)))
    }

    pub(super) fn write(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let nul = asked.payload.iter().position(|&b| b == 0).ok_or(Error::Invalid)?;
        let path = self.path(asked, &asked.payload[..nul])?;
        self.operate(asked, Op::Write(path, asked.payload[nul + 1..].to_vec()))
    }

    pub(super) fn mkdir(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let path = self.path(asked, one_string(asked.payload)?)?;
        self.operate(asked, Op::Mkdir(path))
    }

    pub(super) fn remove(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let path = self.path(asked, one_string(asked.payload)?)?;
        self.operate(asked, Op::Remove(path))
    }

    pub(super) fn set_perms(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let mut args = strings(asked.payload);
        let path = args.next().ok_or(Error::Invalid)?;
        let count = args.clone().count();
        if count == 0 {
            return Err(Error::Invalid);
        }
        self.domains.check(&asked.who, Item::NodePermissions, count)?;
        let perms: Vec<Perm> = args.map(Perm::parse).collect::<Result<_, _>>()?;
        let new = self.domains.resolve(&perms, self.domains.features_of(&asked.who))?;
        let path = self.path_or_special(asked, path)?;
        if path.is_special() {
            return self.set_special_perms(asked, &path, new);
        }
        self.operate(asked, Op::SetPerms(path, perms))
    }

    /// Who may watch `@introduceDomain` or `@releaseDomain`. These two are no nodes, and in no transaction.
    fn set_special_perms(
        &mut self,
        asked: &Asked<'_>,
        path: &StorePath,
        new: Perms,
    ) -> Result<Vec<u8>, Error> {
        let denied = if asked.who.privileged { Error::NotFound } else { Error::Access };
        let old = self.special_perms(path.as_str()).ok_or(denied)?;
        check_new_perms(&asked.who, old, &new)?;
        *old = new;
        Ok(OK.to_vec())
    }

    /// Does an operation in the request's transaction, or at once.
    pub(super) fn operate(&mut self, asked: &Asked<'_>, op: Op) -> Result<Vec<u8>, Error> {
        if asked.tx == 0 {
            self.change(&asked.who, &op)?;
        } else {
            let Store { conns, domains, generation, .. } = self;
            let conn = conns.get_mut(&asked.conn).ok_or(Error::NotFound)?;
            let transaction = conn.transactions.get_mut(&asked.tx).ok_or(Error::NotFound)?;
            transaction.apply(&asked.who, domains, generation, op)?;
        }
        Ok(OK.to_vec())
    }

    /// Finds the node, of which `part` is to be read, in the request's transaction or outside.
    fn look(&mut self, asked: &Asked<'_>, path: &StorePath, part: Part) -> Result<Arc<Node>, Error> {
        if asked.tx == 0 {
            return find(&self.tree, &asked.who, path, Access::Read).cloned();
        }
        let conn = self.conns.get_mut(&asked.conn).ok_or(Error::NotFound)?;
        let transaction = conn.transactions.get_mut(&asked.tx).ok_or(Error::NotFound)?;
        transaction.read(&asked.who, &mut self.domains, path, part)
    }
}
