//! `xm_vars`: how a configuration declares the variables that it wants from the command line.

use std::rc::Rc;

use super::make;
use crate::args::Args;
use crate::machine::Machine;
use crate::object::{Builtin, Object};
use crate::stop::{Exception, Res, STANDARD_ERROR, Stop, Why, type_error};

static FUNCTIONS: &[Builtin] = &[Builtin { name: "var", call: var }, Builtin { name: "check", call: check }];

pub(super) fn load(m: &Machine<'_>) -> Res {
    make(m, "xm_vars", FUNCTIONS, vec![]).map(Object::Module)
}

/// `xm_vars.var(name, use=text, check=function)`
fn var(m: &Machine<'_>, mut args: Args) -> Res {
    let (_, check) = (args.take_keyword("use"), args.take_keyword("check"));
    args.count("var", 1, 3)?;
    let name = args.positional[0].clone();
    if !matches!(name, Object::Str(_)) {
        return type_error("xm_vars.var() wants a name");
    }
    let check = check.or_else(|| args.get(2).cloned()).unwrap_or(Object::None);
    m.charge_values(2)?;
    m.declared.borrow_mut().push((name, check));
    Ok(Object::None)
}

/// `xm_vars.check()`: has every declared variable checked, and keeps what the checks return.
fn check(m: &Machine<'_>, args: Args) -> Res {
    args.count("check", 0, 0)?;
    let declared = m.declared.borrow().clone();
    for (name, check) in declared {
        let (Object::Str(id), Some(frame)) = (&name, m.frame()) else { continue };
        let given = frame.unit.globals.borrow().get(&Object::name_key(id)).map(|(_, value)| value.clone());
        let value = match (&check, given) {
            (Object::None, given) => given.unwrap_or(Object::None),
            (check, given) => {
                let args = Args::of(vec![name.clone(), given.unwrap_or(Object::None)]);
                m.call(check, args).map_err(|stop| named(m, id.as_str(), stop))?
            }
        };
        m.store_global(&frame, id, value)?;
    }
    Ok(Object::None)
}

/// The exception of a check, with the variable's name before its text.
fn named(m: &Machine<'_>, name: &str, stop: Box<Stop>) -> Box<Stop> {
    let Why::Raised(exception) = &stop.why else { return stop };
    if !exception.class.is_below(STANDARD_ERROR) {
        return stop;
    }
    let text = match m.exception_str(exception) {
        Ok(text) => text,
        Err(limit) => return limit,
    };
    let args = vec![Object::text(format!("{name} - {text}"))].into();
    let why = Why::Raised(Rc::new(Exception { class: exception.class, args, denied: exception.denied }));
    Box::new(Stop { why, place: stop.place })
}
