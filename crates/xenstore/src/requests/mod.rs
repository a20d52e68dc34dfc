//! One request, one reply.
//!
//! The order of checks, and so which error wins, is that of upstream's C server: unknown type, privilege, transaction, then the request's
//! own.

use alloc::vec::Vec;

use crate::Error;
use crate::connection::ConnId;
use crate::path::{ABSOLUTE_MAX, StorePath};
use crate::perms::Caller;
use crate::quota::Item;
use crate::store::Store;
use crate::wire::{MessageType as Type, Request};

mod commands;
mod domains;
mod nodes;
mod transactions;
mod watches;

/// The answer of requests that have nothing to tell.
const OK: &[u8] = b"OK\0";

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
        let answer = self.tidily(Some(conn), |store| store.answer(conn, request));
        if self.is_logging {
            self.log(conn, request, &answer);
        }
        match answer {
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

    /// A node's path.
    fn path(&mut self, asked: &Asked<'_>, raw: &[u8]) -> Result<StorePath, Error> {
        let path = self.path_or_special(asked, raw)?;
        if path.is_special() { Err(Error::Invalid) } else { Ok(path) }
    }

    fn path_or_special(&mut self, asked: &Asked<'_>, raw: &[u8]) -> Result<StorePath, Error> {
        self.parse_path(&asked.who, raw)
    }

    fn parse_path(&mut self, who: &Caller, raw: &[u8]) -> Result<StorePath, Error> {
        let limit = self.domains.limit(who, Item::PathMax) as usize;
        let path = StorePath::parse(raw, who.party.domid, if limit == 0 { ABSOLUTE_MAX } else { limit })?;
        self.domains.check(who, Item::PathMax, path.relative_len())?;
        Ok(path)
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
