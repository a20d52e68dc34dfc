//! Methods of sets.

use std::rc::Rc;

use crate::args::Args;
use crate::ast::{BinaryOp, CompareOp};
use crate::machine::Machine;
use crate::object::{MethodFn, Object, Set};
use crate::stop::{Exception, KEY_ERROR, Res, Stop, type_error};

pub(crate) const METHODS: &[(&str, MethodFn)] = &[
    ("add", add),
    ("discard", discard),
    ("remove", remove),
    ("pop", pop),
    ("clear", clear),
    ("update", update),
    ("copy", copy),
    ("union", union),
    ("intersection", intersection),
    ("difference", difference),
    ("symmetric_difference", symmetric_difference),
    ("issubset", issubset),
    ("issuperset", issuperset),
    ("isdisjoint", isdisjoint),
];

pub(crate) const FROZEN_METHODS: &[(&str, MethodFn)] = &[
    ("copy", copy),
    ("union", union),
    ("intersection", intersection),
    ("difference", difference),
    ("symmetric_difference", symmetric_difference),
    ("issubset", issubset),
    ("issuperset", issuperset),
    ("isdisjoint", isdisjoint),
];

fn set(receiver: &Object) -> Res<&Set> {
    match receiver {
        Object::Set(set) => Ok(set),
        other => type_error(format!("a set is required, not {}", other.type_name())),
    }
}

fn add(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [item] = args.exactly("add")?;
    m.charge_values(4)?;
    let key = m.key(&item)?;
    set(receiver)?.items.borrow_mut().entry(key).or_insert(item);
    Ok(Object::None)
}

fn take(m: &Machine<'_>, receiver: &Object, item: &Object) -> Res<bool> {
    m.step(set(receiver)?.items.borrow().len())?;
    Ok(set(receiver)?.items.borrow_mut().shift_remove(&m.key(item)?).is_some())
}

fn discard(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [item] = args.exactly("discard")?;
    take(m, receiver, &item)?;
    Ok(Object::None)
}

fn remove(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [item] = args.exactly("remove")?;
    if take(m, receiver, &item)? {
        return Ok(Object::None);
    }
    let exception = Exception { class: KEY_ERROR, args: vec![item].into(), denied: false };
    Err(Stop::from_exception(Rc::new(exception)))
}

fn pop(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("pop", 0, 0)?;
    m.step(set(receiver)?.items.borrow().len())?;
    let popped = set(receiver)?.items.borrow_mut().shift_remove_index(0);
    popped.map(|(_, item)| item).ok_or_else(|| Stop::raise(KEY_ERROR, "pop from an empty set"))
}

fn clear(_: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("clear", 0, 0)?;
    set(receiver)?.items.borrow_mut().clear();
    Ok(Object::None)
}

fn update(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    for values in &args.positional {
        for item in m.collect(values)? {
            m.charge_values(4)?;
            let key = m.key(&item)?;
            set(receiver)?.items.borrow_mut().entry(key).or_insert(item);
        }
    }
    Ok(Object::None)
}

fn copy(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("copy", 0, 0)?;
    m.make_set(&m.collect(receiver)?, set(receiver)?.frozen)
}

/// A set of whatever can be gone through.
fn as_set(m: &Machine<'_>, object: &Object) -> Res {
    match object {
        Object::Set(_) => Ok(object.clone()),
        other => m.make_set(&m.collect(other)?, false),
    }
}

fn combine(m: &Machine<'_>, receiver: &Object, args: &Args, op: BinaryOp) -> Res {
    let mut result = copy(m, receiver, Args::default())?;
    for other in &args.positional {
        result = m.binary(op, &result, &as_set(m, other)?)?;
    }
    Ok(result)
}

fn union(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    combine(m, receiver, &args, BinaryOp::Or)
}

fn intersection(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    combine(m, receiver, &args, BinaryOp::And)
}

fn difference(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    combine(m, receiver, &args, BinaryOp::Sub)
}

fn symmetric_difference(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("symmetric_difference", 1, 1)?;
    combine(m, receiver, &args, BinaryOp::Xor)
}

fn relation(m: &Machine<'_>, receiver: &Object, args: Args, name: &str, op: CompareOp) -> Res {
    let [other] = args.exactly(name)?;
    Ok(Object::Bool(m.compare_by(op, receiver, &as_set(m, &other)?)?))
}

fn issubset(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    relation(m, receiver, args, "issubset", CompareOp::LessEqual)
}

fn issuperset(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    relation(m, receiver, args, "issuperset", CompareOp::GreaterEqual)
}

fn isdisjoint(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("isdisjoint", 1, 1)?;
    let common = combine(m, receiver, &args, BinaryOp::And)?;
    Ok(Object::Bool(!m.truth(&common)))
}
