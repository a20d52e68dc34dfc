//! The modules that a script can import. What they do to the machine goes through the host.

mod ip;
mod misc;
mod os;
mod path;
pub(crate) mod re;
mod regex_syntax;
mod string;
mod sys;
mod xm;

use std::rc::Rc;

use crate::builtins;
use crate::machine::Machine;
use crate::object::{Builtin, Entries, Module, Object, find};
use crate::stop::Res;

/// Makes a module; none if there is none of that name.
pub(crate) fn load(m: &Machine<'_>, name: &str) -> Res<Option<Rc<Module>>> {
    Ok(Some(match name {
        "os" => os::load(m)?,
        "os.path" | "posixpath" => make(m, "posixpath", path::FUNCTIONS, vec![("sep", Object::text("/"))])?,
        "sys" => sys::load(m)?,
        "string" => string::load(m)?,
        "re" => re::load(m)?,
        "time" => make(m, name, misc::TIME, vec![])?,
        "random" => make(m, name, misc::RANDOM, vec![])?,
        "math" => {
            let constants =
                vec![("pi", Object::Float(std::f64::consts::PI)), ("e", Object::Float(std::f64::consts::E))];
            make(m, name, misc::MATH, constants)?
        }
        "socket" => make(m, name, misc::SOCKET, vec![])?,
        "platform" => make(m, name, misc::PLATFORM, vec![])?,
        "commands" => make(m, name, os::COMMANDS, vec![])?,
        "xen.util.ip" => make(m, name, ip::FUNCTIONS, vec![])?,
        "xen.util" => {
            let ip = m.import("xen.util.ip", true)?;
            make(m, name, &[], vec![("ip", ip)])?
        }
        "xen" => {
            let util = m.import("xen.util", true)?;
            make(m, name, &[], vec![("util", util)])?
        }
        _ => return Ok(None),
    }))
}

/// A module of functions and other things.
fn make(
    m: &Machine<'_>,
    name: &str,
    functions: &'static [Builtin],
    others: Vec<(&'static str, Object)>,
) -> Res<Rc<Module>> {
    let mut entries = Entries::new();
    for function in functions {
        builtins::add(&mut entries, function.name, Object::Builtin(function));
    }
    for (name, value) in others {
        builtins::add(&mut entries, name, value);
    }
    let module = Rc::new(Module { name: name.to_owned(), names: m.dict(entries)? });
    m.keep(Object::Module(module.clone()))?;
    Ok(module)
}

/// The directories of `sys.path`, if the script has made any use of `sys`.
pub(crate) fn sys_path(m: &Machine<'_>) -> Option<Vec<Object>> {
    let modules = m.modules.borrow();
    let names = modules.get("sys")?.names.borrow();
    match find(&names, "path") {
        Some(Object::List(path)) => Some(path.borrow().clone()),
        _ => None,
    }
}

/// Fills the names that xm puts before each script: modules, its own objects, the helpers of `xen.util.ip`.
pub(crate) fn install(m: &Machine<'_>, file: &str) -> Res<()> {
    let (os, sys) = (m.import("os", true)?, m.import("sys", true)?);
    let xm_vars = xm::load(m)?;
    let mut prelude = m.prelude.borrow_mut();
    builtins::add(&mut prelude, "os", os);
    builtins::add(&mut prelude, "sys", sys);
    for function in ip::FUNCTIONS {
        builtins::add(&mut prelude, function.name, Object::Builtin(function));
    }
    builtins::add(&mut prelude, "xm_vars", xm_vars);
    builtins::add(&mut prelude, "xm_help", Object::Int(0));
    builtins::add(&mut prelude, "xm_file", Object::text(file));
    Ok(())
}
