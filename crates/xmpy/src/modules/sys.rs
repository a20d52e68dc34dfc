//! `sys`.

use std::rc::Rc;

use super::make;
use crate::args::Args;
use crate::builtins::io::standard;
use crate::machine::Machine;
use crate::object::{Builtin, Module, Object, Stream};
use crate::stop::{Exception, Res, SYSTEM_EXIT, Stop};

static FUNCTIONS: &[Builtin] = &[
    Builtin { name: "exit", call: exit },
    Builtin { name: "exc_info", call: exc_info },
    Builtin { name: "getdefaultencoding", call: encoding },
];

pub(super) fn load(m: &Machine<'_>) -> Res<Rc<Module>> {
    let argv = m.list(vec![Object::text("xm")])?;
    let path = m.list(Vec::new())?;
    let numbers = [2, 7, 18].map(Object::Int).into_iter();
    let version = m.tuple(numbers.chain([Object::text("final"), Object::Int(0)]).collect())?;
    make(
        m,
        "sys",
        FUNCTIONS,
        vec![
            ("argv", argv),
            ("path", path),
            ("version", Object::text("2.7.18")),
            ("version_info", version),
            ("hexversion", Object::Int(0x0207_12f0)),
            ("platform", Object::text("linux2")),
            ("byteorder", Object::text("little")),
            ("maxint", Object::Int(i64::MAX)),
            ("maxsize", Object::Int(i64::MAX)),
            ("stdout", standard(m, "<stdout>", Stream::Out)?),
            ("stderr", standard(m, "<stderr>", Stream::Err)?),
        ],
    )
}

fn exit(_: &Machine<'_>, args: Args) -> Res {
    args.count("exit", 0, 1)?;
    let exception = Exception { class: SYSTEM_EXIT, args: args.positional.into(), denied: false };
    Err(Stop::from_exception(Rc::new(exception)))
}

fn exc_info(m: &Machine<'_>, args: Args) -> Res {
    args.count("exc_info", 0, 0)?;
    let current = m.handling.borrow().last().cloned();
    match current {
        Some(exception) => {
            let class = Object::Class(exception.class);
            let exception = m.keep(Object::Exception(exception))?;
            m.tuple(vec![class, exception, Object::None])
        }
        None => m.tuple(vec![Object::None, Object::None, Object::None]),
    }
}

fn encoding(_: &Machine<'_>, args: Args) -> Res {
    args.count("getdefaultencoding", 0, 0)?;
    Ok(Object::text("ascii"))
}
