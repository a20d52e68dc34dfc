//! Methods of strings. As in Python 2, upper and lower case and white space are ASCII's.

mod case;
mod find;
mod pad;
pub(crate) mod split;

use std::rc::Rc;

use crate::args::Args;
use crate::format::format_template;
use crate::machine::Machine;
use crate::number::to_long;
use crate::object::{MethodFn, Object};
use crate::stop::{Res, type_error};
use crate::text::Text;

pub(crate) const METHODS: &[(&str, MethodFn)] = &[
    ("capitalize", case::capitalize),
    ("casefold", case::lower),
    ("center", pad::center),
    ("count", find::count),
    ("decode", same),
    ("encode", same),
    ("endswith", find::endswith),
    ("expandtabs", pad::expandtabs),
    ("find", find::find),
    ("format", format),
    ("index", find::index),
    ("isalnum", case::isalnum),
    ("isalpha", case::isalpha),
    ("isdigit", case::isdigit),
    ("isdecimal", case::isdigit),
    ("isnumeric", case::isdigit),
    ("islower", case::islower),
    ("isspace", case::isspace),
    ("istitle", case::istitle),
    ("isupper", case::isupper),
    ("join", split::join),
    ("ljust", pad::ljust),
    ("lower", case::lower),
    ("lstrip", split::lstrip),
    ("partition", split::partition),
    ("replace", find::replace),
    ("rfind", find::rfind),
    ("rindex", find::rindex),
    ("rjust", pad::rjust),
    ("rpartition", split::rpartition),
    ("rsplit", split::rsplit),
    ("rstrip", split::rstrip),
    ("split", split::split),
    ("splitlines", split::splitlines),
    ("startswith", find::startswith),
    ("strip", split::strip),
    ("swapcase", case::swapcase),
    ("title", case::title),
    ("translate", find::translate),
    ("upper", case::upper),
    ("zfill", pad::zfill),
];

/// The text of a method's object.
fn text(receiver: &Object) -> Res<&Rc<Text>> {
    match receiver {
        Object::Str(text) => Ok(text),
        other => type_error(format!("a string is required, not {}", other.type_name())),
    }
}

/// An argument that has to be a string.
fn string_arg(args: &Args, at: usize) -> Res<&str> {
    match args.get(at) {
        Some(Object::Str(text)) => Ok(text.as_str()),
        Some(other) => type_error(format!("expected a character buffer object, not {}", other.type_name())),
        None => type_error("expected a character buffer object"),
    }
}

/// An argument that has to be an integer; none if it is not given. What is too large is as good as the largest.
fn int_arg(args: &Args, at: usize) -> Res<Option<i64>> {
    match args.get(at) {
        None => Ok(None),
        Some(value) => match to_long(value) {
            Some(long) => {
                let sign = if long.sign() == num_bigint::Sign::Minus { i64::MIN } else { i64::MAX };
                Ok(Some(i64::try_from(&*long).unwrap_or(sign)))
            }
            None => type_error("an integer is required"),
        },
    }
}

/// `encode` and `decode`: text stays text.
fn same(_: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("encode", 0, 2)?;
    Ok(receiver.clone())
}

fn format(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    format_template(m, text(receiver)?.as_str(), &args)
}
