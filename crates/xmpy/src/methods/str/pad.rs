//! Strings of a given width.

use super::{int_arg, string_arg, text};
use crate::args::Args;
use crate::machine::Machine;
use crate::object::Object;
use crate::stop::{Res, type_error};

/// The width, what is missing to it, and what it is filled with.
fn room(m: &Machine<'_>, receiver: &Object, args: &Args, name: &str) -> Res<(usize, usize, char)> {
    args.count(name, 1, 2)?;
    let width = int_arg(args, 0)?.unwrap_or(0).max(0) as usize;
    let fill = if args.get(1).is_some() { string_arg(args, 1)? } else { " " };
    let mut chars = fill.chars();
    let (Some(fill), None) = (chars.next(), chars.next()) else {
        return type_error(format!("{name}() argument 2 must be char, not str"));
    };
    let missing = width.saturating_sub(text(receiver)?.chars());
    m.charge(text(receiver)?.as_str().len().saturating_add(missing.saturating_mul(fill.len_utf8())))?;
    Ok((width, missing, fill))
}

fn padded(m: &Machine<'_>, receiver: &Object, before: usize, after: usize, fill: char) -> Res {
    let fill = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
    Ok(m.charged_string(fill(before) + text(receiver)?.as_str() + &fill(after)))
}

pub(super) fn ljust(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let (_, missing, fill) = room(m, receiver, &args, "ljust")?;
    padded(m, receiver, 0, missing, fill)
}

pub(super) fn rjust(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let (_, missing, fill) = room(m, receiver, &args, "rjust")?;
    padded(m, receiver, missing, 0, fill)
}

pub(super) fn center(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let (width, missing, fill) = room(m, receiver, &args, "center")?;
    // Which side gets the odd one depends on both, in CPython.
    let before = missing / 2 + (missing & width & 1);
    padded(m, receiver, before, missing - before, fill)
}

pub(super) fn zfill(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("zfill", 1, 1)?;
    let text = text(receiver)?;
    let width = int_arg(&args, 0)?.unwrap_or(0).max(0) as usize;
    let missing = width.saturating_sub(text.chars());
    m.charge(text.as_str().len().saturating_add(missing))?;
    let sign = if missing > 0 && text.as_str().starts_with(['+', '-']) { 1 } else { 0 };
    let (sign, digits) = text.as_str().split_at(sign);
    Ok(m.charged_string(format!("{sign}{}{digits}", "0".repeat(missing))))
}

pub(super) fn expandtabs(m: &Machine<'_>, receiver: &Object, mut args: Args) -> Res {
    if let Some(size) = args.take_keyword("tabsize") {
        args.positional.push(size);
    }
    args.count("expandtabs", 0, 1)?;
    let size = int_arg(&args, 0)?.unwrap_or(8).max(0) as usize;
    let text = text(receiver)?.as_str();
    m.charge(text.len())?;
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' if size > 0 => {
                let spaces = size - column % size;
                m.charge(spaces)?;
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            '\t' => {}
            c => {
                out.push(c);
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    Ok(m.charged_string(out))
}
