//! Methods of dictionaries.

use std::rc::Rc;

use crate::args::Args;
use crate::iterate::{State, View};
use crate::machine::Machine;
use crate::object::{Builtin, Dict, Entries, MethodFn, Object, put};
use crate::stop::{Exception, KEY_ERROR, Res, Stop, type_error, value_error};

pub(crate) const METHODS: &[(&str, MethodFn)] = &[
    ("keys", keys),
    ("values", values),
    ("items", items),
    ("iterkeys", iterkeys),
    ("itervalues", itervalues),
    ("iteritems", iteritems),
    ("get", get),
    ("has_key", has_key),
    ("setdefault", setdefault),
    ("pop", pop),
    ("popitem", popitem),
    ("update", update),
    ("copy", copy),
    ("clear", clear),
];

pub(crate) static FROMKEYS: Builtin = Builtin { name: "fromkeys", call: fromkeys };

fn dict(receiver: &Object) -> Res<&Rc<Dict>> {
    match receiver {
        Object::Dict(dict) => Ok(dict),
        other => type_error(format!("a dict is required, not {}", other.type_name())),
    }
}

impl Machine<'_> {
    pub(crate) fn dict_items(&self, object: &Object) -> Res<Vec<Object>> {
        let entries: Vec<(Object, Object)> = dict(object)?.borrow().values().cloned().collect();
        entries.into_iter().map(|(key, value)| self.tuple(vec![key, value])).collect()
    }
}

fn keys(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("keys", 0, 0)?;
    let dict = dict(receiver)?;
    m.charge_values(dict.borrow().len())?;
    let keys = dict.borrow().values().map(|(key, _)| key.clone()).collect();
    m.list(keys)
}

fn values(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("values", 0, 0)?;
    let dict = dict(receiver)?;
    m.charge_values(dict.borrow().len())?;
    let values = dict.borrow().values().map(|(_, value)| value.clone()).collect();
    m.list(values)
}

fn items(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("items", 0, 0)?;
    m.list(m.dict_items(receiver)?)
}

fn view(m: &Machine<'_>, receiver: &Object, args: Args, name: &str, view: View) -> Res {
    args.count(name, 0, 0)?;
    let dict = dict(receiver)?.clone();
    let len = dict.borrow().len();
    m.iter_object(State::Dict { dict, at: 0, len, view })
}

fn iterkeys(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    view(m, receiver, args, "iterkeys", View::Keys)
}

fn itervalues(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    view(m, receiver, args, "itervalues", View::Values)
}

fn iteritems(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    view(m, receiver, args, "iteritems", View::Items)
}

fn get(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("get", 1, 2)?;
    let found = dict(receiver)?.borrow().get(&m.key(&args.positional[0])?).map(|(_, value)| value.clone());
    Ok(found.or_else(|| args.get(1).cloned()).unwrap_or(Object::None))
}

fn has_key(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [key] = args.exactly("has_key")?;
    Ok(Object::Bool(m.contains(receiver, &key)?))
}

fn setdefault(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("setdefault", 1, 2)?;
    let key = &args.positional[0];
    let found = dict(receiver)?.borrow().get(&m.key(key)?).map(|(_, value)| value.clone());
    if let Some(found) = found {
        return Ok(found);
    }
    let value = args.get(1).cloned().unwrap_or(Object::None);
    m.set_index(receiver, key, value.clone())?;
    Ok(value)
}

fn pop(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("pop", 1, 2)?;
    let key = &args.positional[0];
    m.step(dict(receiver)?.borrow().len())?;
    let found = dict(receiver)?.borrow_mut().shift_remove(&m.key(key)?).map(|(_, value)| value);
    found.or_else(|| args.get(1).cloned()).ok_or_else(|| {
        let exception = Exception { class: KEY_ERROR, args: vec![key.clone()].into(), denied: false };
        Stop::from_exception(Rc::new(exception))
    })
}

fn popitem(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("popitem", 0, 0)?;
    let popped = dict(receiver)?.borrow_mut().pop();
    match popped {
        Some((_, (key, value))) => m.tuple(vec![key, value]),
        None => Err(Stop::raise(KEY_ERROR, "popitem(): dictionary is empty")),
    }
}

fn update(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let new = entries(m, "update", args)?;
    m.charge_values(4 * new.len())?;
    for (key, (object, value)) in new {
        put(&mut dict(receiver)?.borrow_mut(), key, object, value);
    }
    Ok(Object::None)
}

/// What `dict(..)` and `update(..)` are given: a dictionary or pairs, and names.
pub(crate) fn entries(m: &Machine<'_>, function: &str, args: Args) -> Res<Entries> {
    if args.positional.len() > 1 {
        let given = args.positional.len();
        return type_error(format!("{function} expected at most 1 arguments, got {given}"));
    }
    let mut entries = Entries::new();
    match args.get(0) {
        None => {}
        Some(Object::Dict(dict)) => {
            m.charge_values(4 * dict.borrow().len())?;
            entries.extend(dict.borrow().iter().map(|(key, entry)| (key.clone(), entry.clone())));
        }
        Some(pairs) => {
            for (at, pair) in m.collect(pairs)?.iter().enumerate() {
                let pair = m.collect(pair).map_err(|stop| {
                    if !stop.is(crate::stop::TYPE_ERROR) {
                        return stop;
                    }
                    let message =
                        format!("cannot convert dictionary update sequence element #{at} to a sequence");
                    Stop::raise(crate::stop::TYPE_ERROR, message)
                })?;
                let [key, value] = pair.as_slice() else {
                    return value_error(format!(
                        "dictionary update sequence element #{at} has length {}; 2 is required",
                        pair.len()
                    ));
                };
                m.charge_values(4)?;
                put(&mut entries, m.key(key)?, key.clone(), value.clone());
            }
        }
    }
    for (name, value) in args.keywords {
        entries.insert(Object::name_key(&name), (Object::Str(name), value));
    }
    Ok(entries)
}

fn copy(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("copy", 0, 0)?;
    m.charge_values(4 * dict(receiver)?.borrow().len())?;
    let entries = dict(receiver)?.borrow().clone();
    m.dict(entries).map(Object::Dict)
}

fn clear(_: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("clear", 0, 0)?;
    dict(receiver)?.borrow_mut().clear();
    Ok(Object::None)
}

fn fromkeys(m: &Machine<'_>, args: Args) -> Res {
    args.count("fromkeys", 1, 2)?;
    let value = args.get(1).cloned().unwrap_or(Object::None);
    let mut entries = Entries::new();
    for key in m.collect(&args.positional[0])? {
        m.charge_values(4)?;
        entries.insert(m.key(&key)?, (key, value.clone()));
    }
    m.dict(entries).map(Object::Dict)
}
