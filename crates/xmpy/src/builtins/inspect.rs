//! Looking at objects and namespaces.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use crate::args::Args;
use crate::machine::Machine;
use crate::object::{Entries, Object, Type};
use crate::stop::{ATTRIBUTE_ERROR, RUNTIME_ERROR, Res, Stop, type_error};
use crate::text::Text;

pub(super) fn len(_: &Machine<'_>, args: Args) -> Res {
    let [value] = args.exactly("len")?;
    let len = match &value {
        Object::Str(text) => text.chars(),
        Object::List(list) => list.borrow().len(),
        Object::Tuple(tuple) => tuple.len(),
        Object::Dict(dict) => dict.borrow().len(),
        Object::Set(set) => set.items.borrow().len(),
        Object::Range(range) => range.len as usize,
        other => return type_error(format!("object of type '{}' has no len()", other.type_name())),
    };
    Ok(Object::Int(len as i64))
}

pub(super) fn callable(_: &Machine<'_>, args: Args) -> Res {
    let [value] = args.exactly("callable")?;
    Ok(Object::Bool(matches!(
        value,
        Object::Function(_) | Object::Builtin(_) | Object::Method(_) | Object::Type(_) | Object::Class(_)
    )))
}

pub(super) fn id(_: &Machine<'_>, args: Args) -> Res {
    let [value] = args.exactly("id")?;
    // Where an object really is, is nobody's business: equal objects have equal ids, that is all.
    let id = match &value {
        Object::Int(int) => *int,
        other => other.identity().unwrap_or_default() as i64 & 0xff_ffff,
    };
    Ok(Object::Int(id))
}

/// Equal objects have equal hashes; what else they are is nobody's business either.
pub(super) fn hash(m: &Machine<'_>, args: Args) -> Res {
    let [value] = args.exactly("hash")?;
    let mut hasher = DefaultHasher::new();
    m.key(&value)?.hash(&mut hasher);
    Ok(Object::Int(hasher.finish() as i64))
}

fn is_instance(m: &Machine<'_>, value: &Object, of: &Object) -> Res<bool> {
    match (of, value) {
        (Object::Type(Type::Object), _) => Ok(true),
        (Object::Type(of), value) => Ok(!matches!(value, Object::Exception(_)) && of.holds(value.type_of())),
        (Object::Class(class), Object::Exception(exception)) => Ok(exception.class.is_below(*class)),
        (Object::Class(_), _) => Ok(false),
        (Object::Tuple(several), _) => {
            for of in several.iter() {
                if m.value_level(|| is_instance(m, value, of))? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => type_error("isinstance() arg 2 must be a class, type, or tuple of classes and types"),
    }
}

pub(super) fn isinstance(m: &Machine<'_>, args: Args) -> Res {
    let [value, of] = args.exactly("isinstance")?;
    Ok(Object::Bool(is_instance(m, &value, &of)?))
}

pub(super) fn issubclass(_: &Machine<'_>, args: Args) -> Res {
    match args.exactly("issubclass")? {
        [Object::Class(class), Object::Class(of)] => Ok(Object::Bool(class.is_below(of))),
        [Object::Type(class), Object::Type(of)] => Ok(Object::Bool(of.holds(class))),
        [Object::Class(_) | Object::Type(_), Object::Class(_) | Object::Type(_)] => Ok(Object::Bool(false)),
        _ => type_error("issubclass() arg 1 must be a class"),
    }
}

fn named(function: &str, name: &Object) -> Res<Rc<Text>> {
    match name {
        Object::Str(name) => Ok(name.clone()),
        _ => type_error(format!("{function}(): attribute name must be string")),
    }
}

pub(super) fn getattr(m: &Machine<'_>, args: Args) -> Res {
    args.count("getattr", 2, 3)?;
    let name = named("getattr", &args.positional[1])?;
    match m.attribute(&args.positional[0], &name) {
        Err(stop) if stop.is(ATTRIBUTE_ERROR) && args.get(2).is_some() => Ok(args.positional[2].clone()),
        result => result,
    }
}

pub(super) fn hasattr(m: &Machine<'_>, args: Args) -> Res {
    let [object, name] = args.exactly("hasattr")?;
    match m.attribute(&object, &named("hasattr", &name)?) {
        Ok(_) => Ok(Object::Bool(true)),
        Err(stop) if stop.is(ATTRIBUTE_ERROR) => Ok(Object::Bool(false)),
        Err(stop) => Err(stop),
    }
}

pub(super) fn setattr(m: &Machine<'_>, args: Args) -> Res {
    let [object, name, value] = args.exactly("setattr")?;
    m.set_attribute(&object, &named("setattr", &name)?, value)?;
    Ok(Object::None)
}

fn no_frame() -> Box<Stop> {
    Stop::raise(RUNTIME_ERROR, "no code is running")
}

pub(super) fn globals(m: &Machine<'_>, args: Args) -> Res {
    args.count("globals", 0, 0)?;
    Ok(Object::Dict(m.frame().ok_or_else(no_frame)?.unit.globals.clone()))
}

/// In a function a copy of its variables, else the globals themselves. `vars(module)` is the module's names.
pub(super) fn locals(m: &Machine<'_>, args: Args) -> Res {
    args.count("locals", 0, 1)?;
    match args.get(0) {
        Some(Object::Module(module)) => return Ok(Object::Dict(module.names.clone())),
        Some(_) => return type_error("vars() argument must have __dict__ attribute"),
        None => {}
    }
    let frame = m.frame().ok_or_else(no_frame)?;
    if frame.code.is_none() {
        return Ok(Object::Dict(frame.unit.globals.clone()));
    }
    let entries: Entries =
        frame.locals().map(|(name, value)| (Object::name_key(&name), (Object::Str(name), value))).collect();
    m.dict(entries).map(Object::Dict)
}

pub(super) fn dir(m: &Machine<'_>, args: Args) -> Res {
    args.count("dir", 0, 1)?;
    let names = match args.get(0) {
        Some(Object::Module(module)) => module.names.clone(),
        Some(other) => {
            let message =
                format!("dir() of a '{}' object is not supported in configurations", other.type_name());
            return type_error(message);
        }
        None => match locals(m, Args::default())? {
            Object::Dict(names) => names,
            _ => return Err(no_frame()),
        },
    };
    let mut names: Vec<Object> = names.borrow().values().map(|(name, _)| name.clone()).collect();
    m.sort(&mut names)?;
    m.list(names)
}
