//! Upper and lower case, and what kinds of characters a string has.

use super::text;
use crate::args::Args;
use crate::machine::Machine;
use crate::object::Object;
use crate::stop::Res;

fn mapped(m: &Machine<'_>, receiver: &Object, args: &Args, name: &str, map: fn(&str) -> String) -> Res {
    args.count(name, 0, 0)?;
    let text = text(receiver)?.as_str();
    m.charge(text.len())?;
    m.string(map(text))
}

pub(super) fn upper(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    mapped(m, receiver, &args, "upper", str::to_ascii_uppercase)
}

pub(super) fn lower(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    mapped(m, receiver, &args, "lower", str::to_ascii_lowercase)
}

pub(super) fn swapcase(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    mapped(m, receiver, &args, "swapcase", |text| {
        let swap =
            |c: char| if c.is_ascii_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
        text.chars().map(swap).collect()
    })
}

pub(super) fn capitalize(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    mapped(m, receiver, &args, "capitalize", |text| {
        let mut chars = text.chars();
        let first = chars.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(chars.map(|c| c.to_ascii_lowercase())).collect()
    })
}

pub(super) fn title(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    mapped(m, receiver, &args, "title", |text| {
        let mut in_word = false;
        let map = |c: char| {
            let mapped = if in_word { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
            in_word = c.is_ascii_alphabetic();
            mapped
        };
        text.chars().map(map).collect()
    })
}

fn all(m: &Machine<'_>, receiver: &Object, args: &Args, name: &str, is: fn(char) -> bool) -> Res {
    args.count(name, 0, 0)?;
    let text = text(receiver)?.as_str();
    m.scan(text.len())?;
    Ok(Object::Bool(!text.is_empty() && text.chars().all(is)))
}

pub(super) fn isalnum(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    all(m, receiver, &args, "isalnum", |c| c.is_ascii_alphanumeric())
}

pub(super) fn isalpha(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    all(m, receiver, &args, "isalpha", |c| c.is_ascii_alphabetic())
}

pub(super) fn isdigit(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    all(m, receiver, &args, "isdigit", |c| c.is_ascii_digit())
}

pub(super) fn isspace(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    all(m, receiver, &args, "isspace", is_space)
}

/// White space to Python 2.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

fn cased(m: &Machine<'_>, receiver: &Object, args: &Args, name: &str, upper: bool) -> Res {
    args.count(name, 0, 0)?;
    let text = text(receiver)?.as_str();
    m.scan(text.len())?;
    let (uppers, lowers) =
        (text.contains(|c: char| c.is_ascii_uppercase()), text.contains(|c: char| c.is_ascii_lowercase()));
    Ok(Object::Bool(if upper { uppers && !lowers } else { lowers && !uppers }))
}

pub(super) fn isupper(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    cased(m, receiver, &args, "isupper", true)
}

pub(super) fn islower(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    cased(m, receiver, &args, "islower", false)
}

pub(super) fn istitle(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("istitle", 0, 0)?;
    let text = text(receiver)?.as_str();
    m.scan(text.len())?;
    let (mut in_word, mut any) = (false, false);
    for c in text.chars() {
        if (c.is_ascii_uppercase() && in_word) || (c.is_ascii_lowercase() && !in_word) {
            return Ok(Object::Bool(false));
        }
        in_word = c.is_ascii_alphabetic();
        any |= in_word;
    }
    Ok(Object::Bool(any))
}
