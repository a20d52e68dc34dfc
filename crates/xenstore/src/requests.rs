//! One request, one reply.
//!
//! The order of checks, and so which error wins, is that of upstream's C server: unknown type, privilege, transaction, then the request's
//! own.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use xen_abi::DomId;

use crate::connection::ConnId;
use crate::domain::Ledger;
use crate::ops::{Op, check_count, check_new_perms, find};
use crate::path::{ABSOLUTE_MAX, StorePath, home};
use crate::perms::{Access, Caller, Perm};
use crate::quota::{NAMES, check};
use crate::store::{FEATURES, Store};
use crate::transaction::{Part, Transaction};
use crate::watch::Watch;
use crate::wire::{MessageType as Type, PAYLOAD_MAX, Request, decimal, one_string, strings};
use crate::{Error, Quota};

/// The answer of requests that have nothing to tell.
const OK: &[u8] = b"OK\0";
/// DOMID_SELF of public/xen.h: always introduced.
const DOMID_SELF: u16 = 0x7ff0;

/// A connection's request, with what is needed to judge it.
struct Asked<'a> {
    conn: ConnId,
    who: Caller,
    tx: u32,
    payload: &'a [u8],
}

impl Store {
    /// Does what a request asks, and returns the reply's bytes. Every request has exactly one reply.
    pub fn handle(&mut self, conn: ConnId, request: &Request) -> Vec<u8> {
        match self.answer(conn, request) {
            Ok(payload) => request.reply(Ok(&payload)),
            Err(error) => request.reply(Err(error)),
        }
    }

    fn answer(&mut self, conn: ConnId, request: &Request) -> Result<Vec<u8>, Error> {
        let who = self.caller(conn)?;
        let handler = handler(request.ty).ok_or(Error::Unsupported)?;
        if is_for_control_only(request.ty) && !who.privileged {
            return Err(Error::Access);
        }
        let tx = if matches!(request.ty, Type::WATCH | Type::UNWATCH) { 0 } else { request.tx_id };
        if tx != 0 && !self.conns.get(&conn).is_some_and(|conn| conn.transactions.contains_key(&tx)) {
            return Err(Error::NotFound);
        }
        handler(self, &Asked { conn, who, tx, payload: &request.payload })
    }

    // Reading.

    fn read_value(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let path = self.path(asked, one_string(asked.payload)?)?;
        self.look(asked, &path, Part::Value)?;
        Ok(find(self.tree_of(asked), &asked.who, &path, Access::Read)?.value().to_vec())
    }

    fn directory(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let path = self.path(asked, one_string(asked.payload)?)?;
        self.look(asked, &path, Part::List)?;
        let node = find(self.tree_of(asked), &asked.who, &path, Access::Read)?;
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

    fn directory_part(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let mut args = strings(asked.payload);
        let (Some(path), Some(offset), None) = (args.next(), args.next(), args.next()) else {
            return Err(Error::Invalid);
        };
        let (path, offset) = (self.path(asked, path)?, decimal(offset)? as usize);
        self.look(asked, &path, Part::List)?;
        let node = find(self.tree_of(asked), &asked.who, &path, Access::Read)?;
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

    fn get_perms(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let path = self.path_or_special(asked, one_string(asked.payload)?)?;
        if path.is_special() {
            let perms = self.special_perms(path.as_str()).cloned();
            let perms = perms.filter(|perms| perms.allows(&asked.who, Access::Read));
            let perms = perms.ok_or(if asked.who.privileged { Error::NotFound } else { Error::Access })?;
            return Ok(perms.encode(|party| self.domains.is_alive(party)));
        }
        self.look(asked, &path, Part::Perms)?;
        let node = find(self.tree_of(asked), &asked.who, &path, Access::Read)?;
        Ok(node.perms.encode(|party| self.domains.is_alive(party)))
    }

    // Writing.

    fn write(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let nul = asked.payload.iter().position(|&b| b == 0).ok_or(Error::Invalid)?;
        let path = self.path(asked, &asked.payload[..nul])?;
        self.operate(asked, Op::Write(path, asked.payload[nul + 1..].to_vec()))
    }

    fn mkdir(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let path = self.path(asked, one_string(asked.payload)?)?;
        self.operate(asked, Op::Mkdir(path))
    }

    fn remove(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let path = self.path(asked, one_string(asked.payload)?)?;
        self.operate(asked, Op::Remove(path))
    }

    fn set_perms(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let mut args = strings(asked.payload);
        let path = args.next().ok_or(Error::Invalid)?;
        let count = args.clone().count();
        if count == 0 {
            return Err(Error::Invalid);
        }
        check_count(&self.domains, &asked.who, count)?;
        let perms: Vec<Perm> = args.map(Perm::parse).collect::<Result<_, _>>()?;
        let path = self.path_or_special(asked, path)?;
        if path.is_special() {
            return self.set_special_perms(asked, &path, &perms);
        }
        self.operate(asked, Op::SetPerms(path, perms))
    }

    /// Who may watch `@introduceDomain` or `@releaseDomain`. These two are no nodes, and in no transaction.
    fn set_special_perms(
        &mut self,
        asked: &Asked<'_>,
        path: &StorePath,
        perms: &[Perm],
    ) -> Result<Vec<u8>, Error> {
        let new = self.domains.resolve(perms)?;
        let denied = if asked.who.privileged { Error::NotFound } else { Error::Access };
        let old = self.special_perms(path.as_str()).ok_or(denied)?;
        check_new_perms(&asked.who, old, &new)?;
        *old = new;
        Ok(OK.to_vec())
    }

    /// Does an operation in the request's transaction, or at once.
    fn operate(&mut self, asked: &Asked<'_>, op: Op) -> Result<Vec<u8>, Error> {
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

    // Watches.

    fn watch_request(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let mut args = strings(asked.payload);
        let (Some(path), Some(token)) = (args.next(), args.next()) else { return Err(Error::Invalid) };
        let depth = args.next().map(decimal).transpose()?;
        if args.next().is_some() {
            return Err(Error::Invalid);
        }
        self.add_watch(asked.conn, path, token, depth)?;
        Ok(OK.to_vec())
    }

    fn unwatch_request(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let mut args = strings(asked.payload);
        let (Some(path), Some(token), None) = (args.next(), args.next(), args.next()) else {
            return Err(Error::Invalid);
        };
        self.remove_watch(asked.conn, path, token)?;
        Ok(OK.to_vec())
    }

    pub(crate) fn add_watch(
        &mut self,
        conn: ConnId,
        raw: &[u8],
        token: &[u8],
        depth: Option<u32>,
    ) -> Result<(), Error> {
        let who = self.caller(conn)?;
        let path = self.parse_path(&who, raw)?;
        if self.watches.find(conn, &path, token).is_some() {
            return Err(Error::Exists);
        }
        let is_relative = !raw.starts_with(b"/") && !raw.starts_with(b"@");
        let prefix_len = if is_relative { home(who.party.domid).len() + 1 } else { 0 };
        let watch = Watch { conn, path, token: token.into(), prefix_len, depth, is_owed: false };
        let own: Arc<str> = watch.path.as_str().into();
        if let Some(quota) = self.domains.quota(&who) {
            let watches = self.domains.get(who.party.domid).map_or(0, |domain| domain.usage.watches);
            check(watches + 1, quota.watches)?;
        }
        self.domains.charge_memory(who.party, watch.cost())?;
        if let Some(domain) = self.domains.get_mut(who.party.domid) {
            domain.usage.watches += 1;
        }
        let id = self.watches.add(watch);
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.watches.push(id);
        }
        // A watch fires once at once: clients need not look before they wait.
        self.queue(id, &own);
        Ok(())
    }

    pub(crate) fn remove_watch(&mut self, conn: ConnId, raw: &[u8], token: &[u8]) -> Result<(), Error> {
        let path = self.parse_path(&self.caller(conn)?, raw)?;
        let id = self.watches.find(conn, &path, token).ok_or(Error::NotFound)?;
        self.end_watch(conn, id);
        Ok(())
    }

    fn end_watch(&mut self, conn: ConnId, id: crate::watch::WatchId) {
        let (Some(watch), Some(conn)) = (self.watches.remove(id), self.conns.get_mut(&conn)) else { return };
        conn.forget(id);
        let party = conn.party;
        self.domains.refund_memory(party, watch.cost());
        if self.domains.is_alive(party)
            && let Some(domain) = self.domains.get_mut(party.domid)
        {
            domain.usage.watches = domain.usage.watches.saturating_sub(1);
        }
    }

    pub(crate) fn end_watches(&mut self, conn: ConnId) {
        let ids = self.conns.get(&conn).map(|conn| conn.watches.clone());
        for id in ids.into_iter().flatten() {
            self.end_watch(conn, id);
        }
    }

    fn reset_watches(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        self.reset(asked.conn);
        Ok(OK.to_vec())
    }

    // Transactions.

    fn transaction_start(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        if asked.tx != 0 {
            return Err(Error::Busy);
        }
        if let Some(quota) = self.domains.quota(&asked.who) {
            let usage = self.domains.get(asked.who.party.domid).map(|domain| domain.usage);
            check(usage.map_or(0, |usage| usage.transactions) + 1, quota.transactions)?;
        }
        let conn = self.conns.get_mut(&asked.conn).ok_or(Error::NotFound)?;
        let id = conn.new_transaction_id();
        conn.transactions.insert(id, Transaction::new(&self.tree, self.releases));
        if let Some(domain) = self.domains.get_mut(asked.who.party.domid) {
            domain.usage.transactions += 1;
        }
        self.note_open(asked.conn, id);
        Ok(format!("{id}\0").into_bytes())
    }

    fn transaction_end(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let is_commit = match one_string(asked.payload)? {
            b"T" => true,
            b"F" => false,
            _ => return Err(Error::Invalid),
        };
        let transaction = self.end_transaction(asked.conn, asked.tx).ok_or(Error::NotFound)?;
        if is_commit {
            let Store { tree, domains, generation, releases, .. } = self;
            let outcome = transaction.commit(&asked.who, domains, generation, tree, *releases)?;
            self.tree = outcome.tree;
            self.finish(outcome.ledger, outcome.changes);
        }
        Ok(OK.to_vec())
    }

    /// Takes a transaction away from its connection, and its charges from its domain.
    pub(crate) fn end_transaction(&mut self, conn_id: ConnId, id: u32) -> Option<Transaction> {
        let conn = self.conns.get_mut(&conn_id)?;
        let transaction = conn.transactions.remove(&id)?;
        let party = conn.party;
        self.domains.refund_memory(party, transaction.charged);
        if let Some(domain) = self.domains.get_mut(party.domid) {
            domain.usage.transactions = domain.usage.transactions.saturating_sub(1);
        }
        self.note_end(conn_id, id);
        Some(transaction)
    }

    // Domains.

    fn get_domain_path(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let domid = domain_id(one_string(asked.payload)?)?;
        let mut path = home(domid).into_bytes();
        path.push(0);
        Ok(path)
    }

    fn is_domain_introduced(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let domid = domain_id(one_string(asked.payload)?)?;
        let is = domid.0 == DOMID_SELF || self.is_introduced(domid);
        Ok(if is { b"T\0" } else { b"F\0" }.to_vec())
    }

    fn release_request(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let domid = self.introduced(asked)?;
        self.release(domid);
        Ok(OK.to_vec())
    }

    fn resume(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let domid = self.introduced(asked)?;
        if let Some(domain) = self.domains.get_mut(domid) {
            domain.is_shut_down = false;
        }
        Ok(OK.to_vec())
    }

    fn set_target(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
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

    fn get_feature(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
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

    fn set_feature(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
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

    fn get_quota(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
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

    fn set_quota(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
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

    /// Commands to the server itself.
    fn control_command(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        match strings(asked.payload).next() {
            Some(b"help") => Ok(b"check\nhelp\n\0".to_vec()),
            Some(b"check") => self.check_accounts().map(|()| OK.to_vec()),
            _ => Err(Error::Invalid),
        }
    }

    /// Domains are introduced by the toolstack in this process, who has their pages: [`Store::introduce`].
    fn introduce_request(&mut self, _: &Asked<'_>) -> Result<Vec<u8>, Error> {
        Err(Error::Unsupported)
    }

    // Helpers.

    fn tree_of(&self, asked: &Asked<'_>) -> &crate::tree::Tree {
        let conn = self.conns.get(&asked.conn);
        conn.and_then(|conn| conn.transactions.get(&asked.tx)).map_or(&self.tree, |tx| &tx.tree)
    }

    /// Notes what a transaction reads.
    fn look(&mut self, asked: &Asked<'_>, path: &StorePath, part: Part) -> Result<(), Error> {
        if asked.tx == 0 {
            return Ok(());
        }
        let conn = self.conns.get_mut(&asked.conn).ok_or(Error::NotFound)?;
        let transaction = conn.transactions.get_mut(&asked.tx).ok_or(Error::NotFound)?;
        transaction.touch_for_read(&asked.who, &mut self.domains, path, part)
    }

    fn path(&self, asked: &Asked<'_>, raw: &[u8]) -> Result<StorePath, Error> {
        let path = self.parse_path(&asked.who, raw)?;
        if path.is_special() { Err(Error::Invalid) } else { Ok(path) }
    }

    fn path_or_special(&self, asked: &Asked<'_>, raw: &[u8]) -> Result<StorePath, Error> {
        self.parse_path(&asked.who, raw)
    }

    fn parse_path(&self, who: &Caller, raw: &[u8]) -> Result<StorePath, Error> {
        let limit = self.domains.quota(who).map_or(0, |quota| quota.path_max as usize);
        StorePath::parse(raw, who.party.domid, if limit == 0 { ABSOLUTE_MAX } else { limit })
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

type Handler = fn(&mut Store, &Asked<'_>) -> Result<Vec<u8>, Error>;

fn handler(ty: Type) -> Option<Handler> {
    Some(match ty {
        Type::CONTROL => Store::control_command,
        Type::DIRECTORY => Store::directory,
        Type::READ => Store::read_value,
        Type::GET_PERMS => Store::get_perms,
        Type::WATCH => Store::watch_request,
        Type::UNWATCH => Store::unwatch_request,
        Type::TRANSACTION_START => Store::transaction_start,
        Type::TRANSACTION_END => Store::transaction_end,
        Type::INTRODUCE => Store::introduce_request,
        Type::RELEASE => Store::release_request,
        Type::GET_DOMAIN_PATH => Store::get_domain_path,
        Type::WRITE => Store::write,
        Type::MKDIR => Store::mkdir,
        Type::RM => Store::remove,
        Type::SET_PERMS => Store::set_perms,
        Type::IS_DOMAIN_INTRODUCED => Store::is_domain_introduced,
        Type::RESUME => Store::resume,
        Type::SET_TARGET => Store::set_target,
        Type::RESET_WATCHES => Store::reset_watches,
        Type::DIRECTORY_PART => Store::directory_part,
        Type::GET_FEATURE => Store::get_feature,
        Type::SET_FEATURE => Store::set_feature,
        Type::GET_QUOTA => Store::get_quota,
        Type::SET_QUOTA => Store::set_quota,
        _ => return None,
    })
}

fn is_for_control_only(ty: Type) -> bool {
    matches!(
        ty,
        Type::CONTROL
            | Type::INTRODUCE
            | Type::RELEASE
            | Type::IS_DOMAIN_INTRODUCED
            | Type::RESUME
            | Type::SET_TARGET
            | Type::SET_FEATURE
            | Type::GET_QUOTA
            | Type::SET_QUOTA
    )
}

fn domain_id(text: &[u8]) -> Result<DomId, Error> {
    u16::try_from(decimal(text)?).map(DomId).map_err(|_| Error::Invalid)
}
