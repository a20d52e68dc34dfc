//! `write`, `rm`, `mkdir` and `chmod`. What one command changes, it changes at one moment or not at all.

use clap::Args;
use serde_json::json;
use xenstore::Perm;
use xenstore::client::{ClientError, Nodes, Transaction};

use super::perms::Permission;
use super::{Doing, Stop, Work, value};
use crate::exit;
use crate::output::Output;

/// Give nodes values; nodes that are missing are made, with the directories above them.
#[derive(Args, Debug)]
pub(super) struct Write {
    /// Take values as they stand: no escapes.
    #[arg(short = 'R', long)]
    raw: bool,
    /// Nodes, each followed by its value.
    #[arg(required = true, num_args = 2.., value_name = "KEY VALUE")]
    pairs: Vec<String>,
}

impl Write {
    pub(super) async fn run(&self, work: Work<'_>) -> Result<(), Stop> {
        let (pairs, rest) = self.pairs.as_chunks::<2>();
        if let [key] = rest {
            let text = format!("'{key}' has no value; words come in pairs, a node and its value");
            return Err(Stop::Silent(work.out.fail(exit::USAGE, &text)));
        }
        match pairs {
            [_] => self.write(work.client, work.doing, pairs).await?,
            _ => work.client.transact(async |tx| self.write(tx, work.doing, pairs).await).await?,
        }
        say_done(work.out, "write", pairs.iter().map(|[key, _]| key.as_str()))
    }

    async fn write(
        &self,
        nodes: &impl Nodes,
        doing: &Doing,
        pairs: &[[String; 2]],
    ) -> Result<(), ClientError> {
        for [key, text] in pairs {
            doing.now("write", key);
            let value = if self.raw { text.clone().into_bytes() } else { value::unescape(text.as_bytes()) };
            nodes.write(key, value).await?;
        }
        Ok(())
    }
}

/// Remove nodes, each with all below it.
#[derive(Args, Debug)]
pub(super) struct Rm {
    /// Remove directories above too, where nothing is left in them and they have no value.
    #[arg(short, long)]
    tidy: bool,
    /// The nodes.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Rm {
    pub(super) async fn run(&self, work: Work<'_>) -> Result<(), Stop> {
        let remove = async |tx: &Transaction<'_>| {
            for key in &self.keys {
                self.remove(tx, work.doing, key).await?;
            }
            Ok(())
        };
        work.client.transact(remove).await?;
        say_done(work.out, "rm", self.keys.iter().map(String::as_str))
    }

    async fn remove(&self, tx: &Transaction<'_>, doing: &Doing, key: &str) -> Result<(), ClientError> {
        let mut path = key;
        loop {
            doing.now("remove", path);
            tx.rm(path).await?;
            match path.rsplit_once('/') {
                Some((above, _)) if self.tidy && is_bare(tx, above).await => path = above,
                _ => return Ok(()),
            }
        }
    }
}

/// A node without value and without nodes below.
async fn is_bare(tx: &Transaction<'_>, path: &str) -> bool {
    !path.is_empty()
        && tx.read(path).await.is_ok_and(|value| value.is_empty())
        && tx.directory(path).await.is_ok_and(|names| names.is_empty())
}

/// Make nodes without a value, with the directories above them; one that exists stays as it is.
#[derive(Args, Debug)]
pub(super) struct Mkdir {
    /// The nodes.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Mkdir {
    pub(super) async fn run(&self, work: Work<'_>) -> Result<(), Stop> {
        let make = async |tx: &Transaction<'_>| {
            for key in &self.keys {
                work.doing.now("make", key);
                tx.mkdir(key).await?;
            }
            Ok(())
        };
        work.client.transact(make).await?;
        say_done(work.out, "mkdir", self.keys.iter().map(String::as_str))
    }
}

/// Set who may read and write a node.
#[derive(Args, Debug)]
pub(super) struct Chmod {
    /// Set the nodes below it too.
    #[arg(short, long)]
    recurse: bool,
    /// Set the directories above it too.
    #[arg(short, long)]
    upto: bool,
    /// The node.
    key: String,
    /// A letter and a domain's id: n0 nothing, r1 read, w1 write, b1 both. The first is the owner, and what everybody may
    /// who is not named.
    #[arg(required = true, value_name = "MODE")]
    modes: Vec<Permission>,
}

impl Chmod {
    pub(super) async fn run(&self, work: Work<'_>) -> Result<(), Stop> {
        let done = work.client.transact(async |tx| self.set_all(tx, work.doing).await).await?;
        say_done(work.out, "chmod", done.iter().map(String::as_str))
    }

    /// Sets the node, those above, those below; returns their paths.
    async fn set_all(&self, tx: &Transaction<'_>, doing: &Doing) -> Result<Vec<String>, ClientError> {
        let modes: Vec<Perm> = self.modes.iter().map(|permission| permission.0).collect();
        let mut done = Vec::new();
        let mut above = Some(self.key.as_str());
        while let Some(path) = above.filter(|path| !path.is_empty()) {
            doing.now("set the permissions of", path);
            tx.set_perms(path, &modes).await?;
            done.push(path.to_owned());
            above = path.rsplit_once('/').map(|(above, _)| above).filter(|_| self.upto);
        }
        // Depth first, as Debian's tool; without recursion, since a guest decides how deep its tree is.
        let mut below = if self.recurse { children(tx, doing, &self.key).await? } else { Vec::new() };
        while let Some(path) = below.pop() {
            doing.now("set the permissions of", &path);
            tx.set_perms(&path, &modes).await?;
            below.extend(children(tx, doing, &path).await?);
            done.push(path);
        }
        Ok(done)
    }
}

/// The nodes in a directory, last first.
async fn children(tx: &Transaction<'_>, doing: &Doing, path: &str) -> Result<Vec<String>, ClientError> {
    doing.now("list", path);
    let names = tx.directory(path).await?;
    let path = path.trim_end_matches('/');
    Ok(names.iter().rev().map(|name| format!("{path}/{name}")).collect())
}

/// Tells a program what was done; people know by the exit code.
fn say_done<'a>(out: &mut Output, verb: &str, paths: impl Iterator<Item = &'a str>) -> Result<(), Stop> {
    if out.is_json {
        out.json(&json!({ "done": verb, "paths": paths.collect::<Vec<_>>() }))?;
    }
    Ok(())
}
