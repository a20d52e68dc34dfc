//! `string`: Python 2's functions that later became methods.

use std::rc::Rc;

use super::make;
use super::os::string;
use crate::args::Args;
use crate::machine::Machine;
use crate::object::{Builtin, Module, Object, Type};
use crate::stop::{Res, type_error, value_error};

macro_rules! as_methods {
    ($($name:ident),*) => {
        &[
            $(Builtin { name: stringify!($name), call: {
                fn call(m: &Machine<'_>, args: Args) -> Res {
                    as_method(m, stringify!($name), args)
                }
                call
            } },)*
            Builtin { name: "join", call: join },
            Builtin { name: "joinfields", call: join },
            Builtin { name: "maketrans", call: maketrans },
            Builtin { name: "atoi", call: atoi },
            Builtin { name: "atol", call: atol },
            Builtin { name: "atof", call: atof },
            Builtin { name: "capwords", call: capwords },
        ]
    };
}

static FUNCTIONS: &[Builtin] = as_methods!(
    capitalize,
    center,
    count,
    expandtabs,
    find,
    index,
    ljust,
    lower,
    lstrip,
    replace,
    rfind,
    rindex,
    rjust,
    rsplit,
    rstrip,
    split,
    splitfields,
    strip,
    swapcase,
    translate,
    upper,
    zfill
);

pub(super) fn load(m: &Machine<'_>) -> Res<Rc<Module>> {
    const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
    const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let letters = || Object::text(LOWER.to_owned() + UPPER);
    make(
        m,
        "string",
        FUNCTIONS,
        vec![
            ("ascii_letters", letters()),
            ("letters", letters()),
            ("ascii_lowercase", Object::text(LOWER)),
            ("lowercase", Object::text(LOWER)),
            ("ascii_uppercase", Object::text(UPPER)),
            ("uppercase", Object::text(UPPER)),
            ("digits", Object::text("0123456789")),
            ("hexdigits", Object::text("0123456789abcdefABCDEF")),
            ("octdigits", Object::text("01234567")),
            ("punctuation", Object::text("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")),
            ("whitespace", Object::text("\t\n\u{b}\u{c}\r ")),
        ],
    )
}

/// Calls a method of the first argument.
fn as_method(m: &Machine<'_>, name: &str, mut args: Args) -> Res {
    if !matches!(args.get(0), Some(Object::Str(_))) {
        return type_error(format!("string.{name}() needs a string"));
    }
    let text = args.positional.remove(0);
    match m.method_of(&text, if name == "splitfields" { "split" } else { name }) {
        Some((_, method)) => method(m, &text, args),
        None => type_error(format!("no method {name}")),
    }
}

fn join(m: &Machine<'_>, args: Args) -> Res {
    args.count("join", 1, 2)?;
    let separator = if args.get(1).is_some() { string(&args, 1)? } else { " " };
    crate::methods::str::split::joined(m, separator, &args.positional[0])
}

fn maketrans(m: &Machine<'_>, args: Args) -> Res {
    args.count("maketrans", 2, 2)?;
    let (from, to): (Vec<char>, Vec<char>) =
        (string(&args, 0)?.chars().collect(), string(&args, 1)?.chars().collect());
    if from.len() != to.len() {
        return value_error("maketrans arguments must have same length");
    }
    m.step(from.len())?;
    let mut table: Vec<char> = (0..=255).map(|byte: u8| char::from(byte)).collect();
    for (from, to) in from.into_iter().zip(to) {
        if let Some(entry) = table.get_mut(from as usize) {
            *entry = to;
        }
    }
    m.string(table.into_iter().collect::<String>())
}

fn atoi(m: &Machine<'_>, args: Args) -> Res {
    string(&args, 0)?;
    m.construct(Type::Int, args)
}

fn atol(m: &Machine<'_>, args: Args) -> Res {
    string(&args, 0)?;
    m.construct(Type::Long, args)
}

fn atof(m: &Machine<'_>, args: Args) -> Res {
    string(&args, 0)?;
    m.construct(Type::Float, args)
}

fn capwords(m: &Machine<'_>, args: Args) -> Res {
    args.count("capwords", 1, 1)?;
    let text = string(&args, 0)?;
    m.charge(17 * text.len())?;
    let capitalized = text.split_ascii_whitespace().map(|word| {
        let mut word = word.to_ascii_lowercase();
        word.get_mut(..1).map(str::make_ascii_uppercase);
        word
    });
    m.string(capitalized.collect::<Vec<_>>().join(" "))
}
