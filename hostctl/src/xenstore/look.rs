//! `read`, `list` and `exists`.

use clap::Args;
use serde_json::{Value, json};
use xenstore::client::{ClientError, Nodes};

use super::{Doing, Stop, Work, value};
use crate::exit;

/// Print the values of nodes; several are read at one moment.
#[derive(Args, Debug)]
pub(super) struct Read {
    /// Print each node's path before its value.
    #[arg(short, long)]
    prefix: bool,
    /// Print values as they are: no escapes, no line ends.
    #[arg(short = 'R', long)]
    raw: bool,
    /// The nodes.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Read {
    pub(super) async fn run(&self, mut work: Work<'_>) -> Result<(), Stop> {
        let mut values = Vec::new();
        let done = match &self.keys[..] {
            [_] => self.read(work.client, work.doing, &mut values).await,
            _ => work.client.transact(async |tx| self.read(tx, work.doing, &mut values).await).await,
        };
        // What was read before a node that is missing is printed, as Debian's tool does.
        if work.out.is_json {
            done?;
            let all = self.keys.iter().zip(&values).map(|(key, value)| value::to_json(key, value));
            return Ok(work.out.json(&Value::Array(all.collect()))?);
        }
        for (key, value) in self.keys.iter().zip(&values) {
            self.print(key, value, &mut work)?;
        }
        Ok(done?)
    }

    async fn read(
        &self,
        nodes: &impl Nodes,
        doing: &Doing,
        values: &mut Vec<Vec<u8>>,
    ) -> Result<(), ClientError> {
        values.clear();
        for key in &self.keys {
            doing.now("read", key);
            values.push(nodes.read(key).await?);
        }
        Ok(())
    }

    fn print(&self, key: &str, value: &[u8], work: &mut Work<'_>) -> Result<(), Stop> {
        if self.prefix {
            work.out.text(&format!("{key}: "))?;
        }
        match self.raw {
            true => Ok(work.out.foreign(value)?),
            false => Ok(work.out.line(&value::escape(value))?),
        }
    }
}

/// Print the names in directories.
#[derive(Args, Debug)]
pub(super) struct List {
    /// Print each name's whole path.
    #[arg(short, long)]
    prefix: bool,
    /// The directories.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl List {
    pub(super) async fn run(&self, work: Work<'_>) -> Result<(), Stop> {
        let mut directories = Vec::new();
        let list = async |tx: &xenstore::client::Transaction<'_>| {
            directories.clear();
            for key in &self.keys {
                work.doing.now("list", key);
                directories.push(tx.directory(key).await?);
            }
            Ok(())
        };
        let done = work.client.transact(list).await;
        let listed = self.keys.iter().zip(&directories);
        if work.out.is_json {
            done?;
            let all = listed.map(|(key, names)| json!({ "path": key, "names": names }));
            return Ok(work.out.json(&Value::Array(all.collect()))?);
        }
        for (key, names) in listed {
            for name in names {
                let line = if self.prefix { format!("{key}/{name}\n") } else { format!("{name}\n") };
                work.out.foreign(line.as_bytes())?;
            }
        }
        Ok(done?)
    }
}

/// Say by the exit code whether nodes exist: 0 all do, 1 one does not.
#[derive(Args, Debug)]
pub(super) struct Exists {
    /// Nothing; the old tool takes it too.
    #[arg(short, long, hide = true)]
    prefix: bool,
    /// The nodes.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Exists {
    pub(super) async fn run(&self, work: Work<'_>) -> Result<(), Stop> {
        let look = async |tx: &xenstore::client::Transaction<'_>| {
            let mut found = Vec::new();
            for key in &self.keys {
                work.doing.now("read", key);
                found.push(tx.exists(key).await?);
            }
            Ok(found)
        };
        let found = work.client.transact(look).await?;
        if work.out.is_json {
            let all = self.keys.iter().zip(&found);
            let all = all.map(|(key, exists)| json!({ "path": key, "exists": exists }));
            work.out.json(&Value::Array(all.collect()))?;
        }
        if found.contains(&false) { Err(Stop::Silent(exit::FAILED)) } else { Ok(()) }
    }
}
