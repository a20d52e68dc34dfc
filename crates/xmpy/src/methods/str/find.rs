//! Looking for a string in a string, and replacing it.

use super::{int_arg, string_arg, text};
use crate::access::Bounds;
use crate::args::Args;
use crate::machine::Machine;
use crate::object::Object;
use crate::stop::{Res, type_error, value_error};
use crate::text::Text;

/// The part of a text that two arguments bound, and the character at which it begins; none if it begins beyond the end.
fn part<'t>(m: &Machine<'_>, text: &'t Text, args: &Args, at: usize) -> Res<Option<(&'t str, usize)>> {
    m.scan(text.as_str().len())?;
    let bound = |at: usize| args.get(at).cloned().unwrap_or(Object::None);
    let bounds = Bounds::of(&[bound(at), bound(at + 1), Object::None], text.chars())?;
    if int_arg_or_none(args, at)?.is_some_and(|start| start > text.chars() as i64) {
        return Ok(None);
    }
    Ok(Some((text.slice(bounds.start, bounds.start + bounds.count), bounds.start)))
}

fn int_arg_or_none(args: &Args, at: usize) -> Res<Option<i64>> {
    if matches!(args.get(at), Some(Object::None)) { Ok(None) } else { int_arg(args, at) }
}

fn search(m: &Machine<'_>, receiver: &Object, args: &Args, name: &str, last: bool) -> Res<Option<usize>> {
    args.count(name, 1, 3)?;
    let wanted = string_arg(args, 0)?;
    let Some((part, start)) = part(m, text(receiver)?, args, 1)? else { return Ok(None) };
    let found = if last { part.rfind(wanted) } else { part.find(wanted) };
    Ok(found.map(|at| start + part[..at].chars().count()))
}

pub(super) fn find(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    Ok(Object::Int(search(m, receiver, &args, "find", false)?.map_or(-1, |at| at as i64)))
}

pub(super) fn rfind(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    Ok(Object::Int(search(m, receiver, &args, "rfind", true)?.map_or(-1, |at| at as i64)))
}

pub(super) fn index(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    match search(m, receiver, &args, "index", false)? {
        Some(at) => Ok(Object::Int(at as i64)),
        None => value_error("substring not found"),
    }
}

pub(super) fn rindex(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    match search(m, receiver, &args, "rindex", true)? {
        Some(at) => Ok(Object::Int(at as i64)),
        None => value_error("substring not found"),
    }
}

pub(super) fn count(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("count", 1, 3)?;
    let wanted = string_arg(&args, 0)?;
    let Some((part, _)) = part(m, text(receiver)?, &args, 1)? else { return Ok(Object::Int(0)) };
    Ok(Object::Int(part.matches(wanted).count() as i64))
}

fn at_end(m: &Machine<'_>, receiver: &Object, args: &Args, name: &str, is: fn(&str, &str) -> bool) -> Res {
    args.count(name, 1, 3)?;
    let Some((part, _)) = part(m, text(receiver)?, args, 1)? else { return Ok(Object::Bool(false)) };
    let wanted = match &args.positional[0] {
        Object::Tuple(several) => several.as_slice(),
        one => std::slice::from_ref(one),
    };
    m.step(wanted.len())?;
    for one in wanted {
        let Object::Str(one) = one else {
            return type_error(format!("expected a character buffer object, not {}", one.type_name()));
        };
        if is(part, one.as_str()) {
            return Ok(Object::Bool(true));
        }
    }
    Ok(Object::Bool(false))
}

pub(super) fn startswith(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    at_end(m, receiver, &args, "startswith", |text, start| text.starts_with(start))
}

pub(super) fn endswith(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    at_end(m, receiver, &args, "endswith", |text, end| text.ends_with(end))
}

pub(super) fn replace(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("replace", 2, 3)?;
    let text = text(receiver)?.as_str();
    let (old, new) = (string_arg(&args, 0)?, string_arg(&args, 1)?);
    let most = match int_arg(&args, 2)? {
        Some(most) if most >= 0 => most as usize,
        _ => usize::MAX,
    };
    m.scan(text.len())?;
    let found = text.matches(old).count().min(most);
    m.charge(text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(m.charged_string(text.replacen(old, new, found)))
}

/// `translate(table[, delete])` with a table of 256 characters, as `string.maketrans` makes it, or a dictionary.
pub(super) fn translate(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("translate", 1, 2)?;
    let text = text(receiver)?.as_str();
    let delete = if args.get(1).is_some() { string_arg(&args, 1)? } else { "" };
    let table: Option<Vec<char>> = match &args.positional[0] {
        Object::None => None,
        Object::Str(table) if table.chars() == 256 => Some(table.as_str().chars().collect()),
        Object::Str(_) => return value_error("translation table must be 256 characters long"),
        other => return type_error(format!("expected a character buffer object, not {}", other.type_name())),
    };
    m.charge(4 * text.len())?;
    m.step(text.len() / 16 * (1 + delete.len() / 16))?;
    let map = |c: char| table.as_ref().and_then(|table| table.get(c as usize)).copied().unwrap_or(c);
    m.string(text.chars().filter(|c| !delete.contains(*c)).map(map).collect::<String>())
}
