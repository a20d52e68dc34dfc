//! Taking strings apart and putting them together.

use super::case::is_space;
use super::{int_arg, string_arg, text};
use crate::args::Args;
use crate::machine::Machine;
use crate::object::Object;
use crate::stop::{Res, type_error, value_error};

pub(super) fn join(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [values] = args.exactly("join")?;
    joined(m, text(receiver)?.as_str(), &values)
}

/// Strings with a separator between them.
pub(crate) fn joined(m: &Machine<'_>, separator: &str, values: &Object) -> Res {
    let mut out = String::new();
    for (at, value) in m.collect(values)?.iter().enumerate() {
        let Object::Str(part) = value else {
            return type_error(format!("sequence item {at}: expected string, {} found", value.type_name()));
        };
        m.charge(separator.len() + part.as_str().len())?;
        if at > 0 {
            out.push_str(separator);
        }
        out.push_str(part.as_str());
    }
    Ok(m.charged_string(out))
}

/// Strips a text's ends of these characters, or of white space.
fn stripped<'t>(m: &Machine<'_>, receiver: &'t Object, args: &Args, name: &str) -> Res<(&'t str, Vec<char>)> {
    args.count(name, 0, 1)?;
    let text = text(receiver)?.as_str();
    let chars: Vec<char> = match args.get(0) {
        None | Some(Object::None) => vec![' ', '\t', '\n', '\r', '\u{b}', '\u{c}'],
        Some(_) => string_arg(args, 0)?.chars().collect(),
    };
    m.step(text.len() / 32 * (1 + chars.len() / 32))?;
    Ok((text, chars))
}

pub(super) fn strip(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let (text, chars) = stripped(m, receiver, &args, "strip")?;
    m.string(text.trim_matches(chars.as_slice()))
}

pub(super) fn lstrip(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let (text, chars) = stripped(m, receiver, &args, "lstrip")?;
    m.string(text.trim_start_matches(chars.as_slice()))
}

pub(super) fn rstrip(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let (text, chars) = stripped(m, receiver, &args, "rstrip")?;
    m.string(text.trim_end_matches(chars.as_slice()))
}

/// What is split, where, and how often at most.
struct Split<'a> {
    text: &'a str,
    separator: Option<&'a str>,
    most: usize,
}

fn split_args<'a>(m: &Machine<'_>, receiver: &'a Object, args: &'a Args, name: &str) -> Res<Split<'a>> {
    args.count(name, 0, 2)?;
    let text = text(receiver)?.as_str();
    m.scan(text.len())?;
    let separator = match args.get(0) {
        None | Some(Object::None) => None,
        Some(_) => Some(string_arg(args, 0)?),
    };
    if separator == Some("") {
        return value_error("empty separator");
    }
    let most = int_arg(args, 1)?.filter(|most| *most >= 0).map_or(usize::MAX, |most| most as usize);
    Ok(Split { text, separator, most })
}

fn named(mut args: Args) -> Args {
    let (separator, most) = (args.take_keyword("sep"), args.take_keyword("maxsplit"));
    if let Some(separator) = separator {
        args.positional.insert(0, separator);
    }
    if let Some(most) = most {
        if args.positional.is_empty() {
            args.positional.push(Object::None);
        }
        args.positional.push(most);
    }
    args
}

fn strings<'t>(m: &Machine<'_>, parts: impl Iterator<Item = &'t str>) -> Res {
    let mut values = Vec::new();
    for part in parts {
        m.charge_values(1)?;
        values.push(m.string(part)?);
    }
    m.list(values)
}

pub(super) fn split(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let args = named(args);
    let of = split_args(m, receiver, &args, "split")?;
    if let Some(separator) = of.separator {
        return strings(m, of.text.splitn(of.most.saturating_add(1), separator));
    }
    let mut rest = of.text.trim_start_matches(is_space);
    let mut left = of.most;
    strings(
        m,
        std::iter::from_fn(|| {
            if rest.is_empty() {
                return None;
            }
            let end = if left == 0 { rest.len() } else { rest.find(is_space).unwrap_or(rest.len()) };
            left = left.saturating_sub(1);
            let word = &rest[..end];
            rest = rest[end..].trim_start_matches(is_space);
            Some(word)
        }),
    )
}

pub(super) fn rsplit(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let args = named(args);
    let of = split_args(m, receiver, &args, "rsplit")?;
    let mut parts: Vec<&str> = match of.separator {
        Some(separator) => {
            m.charge(16 * (of.text.len() / separator.len()).min(of.most))?;
            of.text.rsplitn(of.most.saturating_add(1), separator).collect()
        }
        None => {
            m.charge(16 * of.text.len().min(of.most))?;
            let mut parts = Vec::new();
            let mut rest = of.text.trim_end_matches(is_space);
            while !rest.is_empty() {
                let begin =
                    if parts.len() == of.most { 0 } else { rest.rfind(is_space).map_or(0, |at| at + 1) };
                parts.push(&rest[begin..]);
                rest = rest[..begin].trim_end_matches(is_space);
            }
            parts
        }
    };
    parts.reverse();
    strings(m, parts.into_iter())
}

pub(super) fn splitlines(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("splitlines", 0, 1)?;
    let mut rest = text(receiver)?.as_str();
    let keep = args.get(0).is_some_and(|keep| m.truth(keep));
    m.scan(rest.len())?;
    strings(
        m,
        std::iter::from_fn(|| {
            if rest.is_empty() {
                return None;
            }
            let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
            let ends = &rest[end..];
            let len = if ends.starts_with("\r\n") { 2 } else { ends.len().min(1) };
            let line = &rest[..if keep { end + len } else { end }];
            rest = &rest[end + len..];
            Some(line)
        }),
    )
}

fn parted(m: &Machine<'_>, receiver: &Object, args: &Args, last: bool) -> Res {
    args.count("partition", 1, 1)?;
    let text = text(receiver)?.as_str();
    let separator = string_arg(args, 0)?;
    if separator.is_empty() {
        return value_error("empty separator");
    }
    m.scan(text.len())?;
    let found = if last { text.rfind(separator) } else { text.find(separator) };
    let parts = match (found, last) {
        (Some(at), _) => [&text[..at], separator, &text[at + separator.len()..]],
        (None, false) => [text, "", ""],
        (None, true) => ["", "", text],
    };
    m.tuple(parts.into_iter().map(|part| m.string(part)).collect::<Res<_>>()?)
}

pub(super) fn partition(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    parted(m, receiver, &args, false)
}

pub(super) fn rpartition(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    parted(m, receiver, &args, true)
}
