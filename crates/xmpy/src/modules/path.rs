//! `os.path`.

use super::os::string;
use crate::args::Args;
use crate::host::PathKind;
use crate::machine::Machine;
use crate::object::{Builtin, Object};
use crate::stop::Res;

pub(super) static FUNCTIONS: &[Builtin] = &[
    Builtin { name: "exists", call: exists },
    Builtin { name: "lexists", call: exists },
    Builtin { name: "isfile", call: isfile },
    Builtin { name: "isdir", call: isdir },
    Builtin { name: "isabs", call: isabs },
    Builtin { name: "join", call: join },
    Builtin { name: "split", call: split },
    Builtin { name: "basename", call: basename },
    Builtin { name: "dirname", call: dirname },
    Builtin { name: "splitext", call: splitext },
    Builtin { name: "normpath", call: normpath },
    Builtin { name: "abspath", call: abspath },
    Builtin { name: "realpath", call: abspath },
    Builtin { name: "expanduser", call: expanduser },
];

fn kind(m: &Machine<'_>, args: &Args, name: &str) -> Res<Option<PathKind>> {
    args.count(name, 1, 1)?;
    Ok(m.host.path_kind(string(args, 0)?))
}

fn exists(m: &Machine<'_>, args: Args) -> Res {
    Ok(Object::Bool(kind(m, &args, "exists")?.is_some()))
}

fn isfile(m: &Machine<'_>, args: Args) -> Res {
    Ok(Object::Bool(kind(m, &args, "isfile")? == Some(PathKind::File)))
}

fn isdir(m: &Machine<'_>, args: Args) -> Res {
    Ok(Object::Bool(kind(m, &args, "isdir")? == Some(PathKind::Directory)))
}

fn isabs(_: &Machine<'_>, args: Args) -> Res {
    args.count("isabs", 1, 1)?;
    Ok(Object::Bool(string(&args, 0)?.starts_with('/')))
}

fn join(m: &Machine<'_>, args: Args) -> Res {
    args.count("join", 1, usize::MAX)?;
    let mut path = string(&args, 0)?.to_owned();
    for at in 1..args.positional.len() {
        let part = string(&args, at)?;
        m.charge(part.len() + 1)?;
        if part.starts_with('/') {
            path = part.to_owned();
        } else {
            if !path.is_empty() && !path.ends_with('/') {
                path.push('/');
            }
            path.push_str(part);
        }
    }
    m.string(path)
}

/// A path before its last part, and that.
fn parts(path: &str) -> (&str, &str) {
    let (head, tail) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
    let trimmed = head.trim_end_matches('/');
    (if trimmed.is_empty() { head } else { trimmed }, tail)
}

fn split(m: &Machine<'_>, args: Args) -> Res {
    args.count("split", 1, 1)?;
    let (head, tail) = parts(string(&args, 0)?);
    m.tuple(vec![m.string(head)?, m.string(tail)?])
}

fn basename(m: &Machine<'_>, args: Args) -> Res {
    args.count("basename", 1, 1)?;
    m.string(parts(string(&args, 0)?).1)
}

fn dirname(m: &Machine<'_>, args: Args) -> Res {
    args.count("dirname", 1, 1)?;
    m.string(parts(string(&args, 0)?).0)
}

fn splitext(m: &Machine<'_>, args: Args) -> Res {
    args.count("splitext", 1, 1)?;
    let path = string(&args, 0)?;
    let name = path.rfind('/').map_or(0, |at| at + 1);
    // Dots at a name's beginning begin no extension.
    let first = name + path[name..].len() - path[name..].trim_start_matches('.').len();
    let at = path[first..].rfind('.').map_or(path.len(), |at| first + at);
    m.tuple(vec![m.string(&path[..at])?, m.string(&path[at..])?])
}

fn normal(path: &str) -> String {
    let root = match path.bytes().take_while(|byte| *byte == b'/').count() {
        0 => "",
        // POSIX lets two slashes mean something else than one.
        2 => "//",
        _ => "/",
    };
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part != ".." || (root.is_empty() && kept.last().is_none_or(|last| *last == "..")) {
            kept.push(part);
        } else {
            kept.pop();
        }
    }
    let normal = root.to_owned() + &kept.join("/");
    if normal.is_empty() { ".".to_owned() } else { normal }
}

fn normpath(m: &Machine<'_>, args: Args) -> Res {
    args.count("normpath", 1, 1)?;
    m.charge(17 * string(&args, 0)?.len())?;
    m.string(normal(string(&args, 0)?))
}

fn abspath(m: &Machine<'_>, args: Args) -> Res {
    args.count("abspath", 1, 1)?;
    let path = string(&args, 0)?;
    m.charge(17 * path.len())?;
    if path.starts_with('/') {
        return m.string(normal(path));
    }
    let here = m.host.current_dir().unwrap_or_else(|| "/".to_owned());
    m.string(normal(&format!("{here}/{path}")))
}

fn expanduser(m: &Machine<'_>, args: Args) -> Res {
    args.count("expanduser", 1, 1)?;
    let path = string(&args, 0)?;
    let home = m.host.environ().into_iter().find(|(name, _)| name == "HOME").map(|(_, value)| value);
    match (path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')), home) {
        (Some(rest), Some(home)) => m.string(home.trim_end_matches('/').to_owned() + rest),
        _ => m.string(path),
    }
}
