//! `ls`: a whole tree, laid out as `xenstore-ls` does.

use clap::Args;
use embassy_futures::join::join3;
use serde_json::Value;
use xenstore::Error;
use xenstore::client::{Client, ClientError, Nodes};

use super::perms::Permission;
use super::{Stop, Work, value};

/// Columns of what is no terminal.
const COLUMNS: usize = 80;
/// Where permissions begin, if the value before them is short.
const PERMISSIONS_AT: usize = 60;
/// What surrounds a value that was cut: ` = "..."`.
const FRAME: usize = 8;

/// Print a tree: names, values, permissions.
#[derive(Args, Debug)]
pub(super) struct Ls {
    /// Print whole paths, and values whole.
    #[arg(short, long)]
    flat: bool,
    /// Print permissions too.
    #[arg(short, long)]
    prefix: bool,
    /// The trees; all of the store where none is named.
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
}

/// One node on the way through a tree.
struct Node {
    path: String,
    name: String,
    depth: usize,
}

impl Ls {
    pub(super) async fn run(&self, mut work: Work<'_>) -> Result<(), Stop> {
        let all = ["/".to_owned()];
        let keys = if self.keys.is_empty() { &all[..] } else { &self.keys };
        let width = match (self.flat, terminal_columns()) {
            (true, _) => None,
            // A terminal that does not know its width is as wide as need be.
            (false, Some(columns)) => columns.checked_sub(2),
            (false, None) => Some(COLUMNS),
        };
        let mut nodes = Vec::new();
        for key in keys {
            self.walk(&mut work, key, width, &mut nodes).await?;
        }
        if work.out.is_json {
            work.out.json(&Value::Array(nodes))?;
        }
        Ok(())
    }

    /// Prints (or gathers) all below `top`. Not recursive: a guest decides how deep its tree is.
    async fn walk(
        &self,
        work: &mut Work<'_>,
        top: &str,
        width: Option<usize>,
        gathered: &mut Vec<Value>,
    ) -> Result<(), Stop> {
        work.doing.now("list", top);
        let mut waiting = children(work.client, top, 0).await?;
        while let Some(node) = waiting.pop() {
            work.doing.now("look at", &node.path);
            // Side by side: over a serial line the way there and back is what takes time.
            let (value, permissions, below) = join3(
                work.client.read(&node.path),
                self.permissions(work.client, &node),
                children(work.client, &node.path, node.depth + 1),
            )
            .await;
            let (value, permissions) = (unless_hidden(value)?, unless_hidden(permissions)?);
            if self.prefix && permissions.is_none() {
                work.out.complain(&format!("hostctl: the permissions of {} cannot be read", node.path));
            }
            let permissions = permissions.filter(|_| self.prefix);
            if work.out.is_json {
                gathered.extend(value.map(|value| {
                    let mut object = value::to_json(&node.path, &value);
                    if let Some(permissions) = permissions {
                        object["permissions"] = permissions.into();
                    }
                    object
                }));
            } else {
                let line = self.line(&node, value.as_deref(), permissions.as_deref(), width);
                work.out.foreign(line.as_bytes())?;
            }
            match below {
                Ok(below) => waiting.extend(below),
                // It is gone meanwhile.
                Err(ClientError::Refused(Error::NotFound)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// A node's permissions as words, if they are wanted.
    async fn permissions(&self, client: &Client, node: &Node) -> Result<Vec<String>, ClientError> {
        let permissions = if self.prefix { client.perms(&node.path).await? } else { Vec::new() };
        Ok(permissions.into_iter().map(|perm| Permission(perm).to_string()).collect())
    }

    /// One node's line.
    fn line(
        &self,
        node: &Node,
        value: Option<&[u8]>,
        permissions: Option<&[String]>,
        width: Option<usize>,
    ) -> String {
        // Paths of the flat form do not count: nothing is cut there.
        let (mut line, mut used) = if self.flat {
            (node.path.clone(), 0)
        } else {
            let room = width.and_then(|width| width.checked_sub(FRAME + node.depth)).unwrap_or(usize::MAX);
            let name: String = node.name.chars().take(room).collect();
            let used = node.depth + name.len();
            (format!("{:depth$}{name}", "", depth = node.depth), used)
        };
        match value {
            None => line.push_str(":\n"),
            Some(value) => {
                let text = value::escape(value);
                match width {
                    Some(width) if width < used + value.len() + FRAME => {
                        let room = width.checked_sub(FRAME + used).unwrap_or(usize::MAX);
                        line.push_str(&format!(" = \"{}\\...\"", &text[..text.len().min(room)]));
                    }
                    _ => {
                        used += text.len() + 5;
                        line.push_str(&format!(" = \"{text}\""));
                        if self.prefix {
                            line.push(' ');
                            let end =
                                if self.flat { 0 } else { width.unwrap_or(usize::MAX).min(PERMISSIONS_AT) };
                            line.extend((used + 1..end).map(|at| if at % 2 == 1 { '.' } else { ' ' }));
                        }
                    }
                }
            }
        }
        if let Some(permissions) = permissions {
            line.push_str(&format!("  ({})", permissions.join(",")));
        }
        line.push('\n');
        line
    }
}

/// The nodes in a directory, last first.
async fn children(client: &Client, path: &str, depth: usize) -> Result<Vec<Node>, ClientError> {
    let separator = if path.ends_with('/') { "" } else { "/" };
    let names = client.directory(path).await?;
    let node = |name: String| Node { path: format!("{path}{separator}{name}"), name, depth };
    Ok(names.into_iter().rev().map(node).collect())
}

/// `None` for what is gone meanwhile, or is not for us to read.
fn unless_hidden<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(ClientError::Refused(Error::NotFound | Error::Access)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn terminal_columns() -> Option<usize> {
    rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| size.ws_col.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(depth: usize, value: &str, permissions: Option<&[String]>, width: Option<usize>) -> String {
        let ls = Ls { flat: false, prefix: permissions.is_some(), keys: Vec::new() };
        let node = Node { path: "/a/name".into(), name: "name".into(), depth };
        ls.line(&node, Some(value.as_bytes()), permissions, width)
    }

    #[test]
    fn long_values_are_cut_at_the_edge() {
        assert_eq!(line(1, "0123456789", None, Some(23)), " name = \"0123456789\"\n");
        assert_eq!(line(1, "0123456789", None, Some(22)), " name = \"012345678\\...\"\n");
        assert_eq!(line(1, &"x".repeat(100), None, None), format!(" name = \"{}\"\n", "x".repeat(100)));
    }

    #[test]
    fn permissions_stand_behind_a_dotted_line() {
        let permissions = ["n0".to_owned(), "r1".to_owned()];
        let expected = format!("name = \"v\" {}.  (n0,r1)\n", ". ".repeat(24));
        assert_eq!(line(0, "v", Some(&permissions), Some(80)), expected);
    }
}
