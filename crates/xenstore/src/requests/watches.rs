//! Requests that set and remove watches.

use alloc::vec::Vec;

use ring::layout::xenstore::FEATURE_WATCHDEPTH;

use super::{Asked, OK};
use crate::Error;
use crate::connection::ConnId;
use crate::path::home;
use crate::perms::Party;
use crate::quota::Item;
use crate::store::Store;
use crate::watch::{Watch, WatchId};
use crate::wire::{decimal, strings};

impl Store {
    pub(super) fn watch_request(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let mut args = strings(asked.payload);
        let (Some(path), Some(token)) = (args.next(), args.next()) else { return Err(Error::Invalid) };
        let depth = args.next().map(decimal).transpose()?;
        let may_have_depth = self.domains.features_of(&asked.who) & FEATURE_WATCHDEPTH != 0;
        if args.next().is_some() || (depth.is_some() && !may_have_depth) {
            return Err(Error::Invalid);
        }
        self.add_watch(asked.conn, path, token, depth)?;
        Ok(OK.to_vec())
    }

    pub(super) fn unwatch_request(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
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
        let own = path.clone();
        let (token, is_owed, queued, spot) = (token.into(), false, 0, 0);
        let watch = Watch { conn, path, token, prefix_len, depth, is_owed, queued, spot };
        self.domains.check_one_more(&who, Item::Watches)?;
        self.domains.charge_memory(who.party, watch.cost())?;
        if let Some(domain) = self.domains.get_mut(who.party.domid) {
            domain.usage.watches += 1;
        }
        let id = self.watches.add(watch);
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.watches.insert(id);
        }
        // A watch fires once at once: clients need not look before they wait.
        self.tell_new(who.party, own, id);
        Ok(())
    }

    pub(crate) fn remove_watch(&mut self, conn: ConnId, raw: &[u8], token: &[u8]) -> Result<(), Error> {
        let path = self.parse_path(&self.caller(conn)?, raw)?;
        let id = self.watches.find(conn, &path, token).ok_or(Error::NotFound)?;
        self.end_watch(conn, id);
        Ok(())
    }

    fn end_watch(&mut self, conn: ConnId, id: WatchId) {
        let Some(conn) = self.conns.get_mut(&conn) else { return };
        conn.forget(id);
        let party = conn.party;
        self.drop_watch(party, id);
    }

    /// Drops a watch of which its connection knows nothing any more.
    pub(crate) fn drop_watch(&mut self, party: Party, id: WatchId) {
        let Some(watch) = self.watches.remove(id) else { return };
        self.domains.refund_memory(party, watch.cost());
        if self.domains.is_alive(party)
            && let Some(domain) = self.domains.get_mut(party.domid)
        {
            domain.usage.watches = domain.usage.watches.saturating_sub(1);
        }
    }

    pub(super) fn reset_watches(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        self.reset(asked.conn);
        Ok(OK.to_vec())
    }
}
