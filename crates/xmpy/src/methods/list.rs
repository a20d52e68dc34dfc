//! Methods of lists, tuples and iterators.

use crate::args::Args;
use crate::compare::merge_sort;
use crate::machine::Machine;
use crate::number::to_long;
use crate::object::{List, MethodFn, Object};
use crate::stop::{Res, STOP_ITERATION, Stop, index_error, type_error, value_error};

pub(crate) const METHODS: &[(&str, MethodFn)] = &[
    ("append", append),
    ("extend", extend),
    ("insert", insert),
    ("remove", remove),
    ("pop", pop),
    ("index", index),
    ("count", count),
    ("sort", sort),
    ("reverse", reverse),
    ("copy", copy),
    ("clear", clear),
];

pub(crate) const TUPLE_METHODS: &[(&str, MethodFn)] = &[("index", index), ("count", count)];

pub(crate) const ITERATOR_METHODS: &[(&str, MethodFn)] = &[("next", next), ("__next__", next)];

fn list(receiver: &Object) -> Res<&List> {
    match receiver {
        Object::List(list) => Ok(list),
        other => type_error(format!("a list is required, not {}", other.type_name())),
    }
}

fn append(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [value] = args.exactly("append")?;
    m.charge_values(2)?;
    list(receiver)?.borrow_mut().push(value);
    Ok(Object::None)
}

fn extend(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [values] = args.exactly("extend")?;
    let values = m.collect(&values)?;
    m.charge_values(values.len())?;
    list(receiver)?.borrow_mut().extend(values);
    Ok(Object::None)
}

fn insert(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [at, value] = args.exactly("insert")?;
    m.charge_values(2)?;
    let mut values = list(receiver)?.borrow_mut();
    m.step(values.len() / 16)?;
    let at = start_of(&at, values.len())?;
    values.insert(at, value);
    Ok(Object::None)
}

/// Where counting begins, as slices see it.
fn start_of(at: &Object, len: usize) -> Res<usize> {
    Ok(crate::access::Bounds::of(&[at.clone(), Object::None, Object::None], len)?.start.min(len))
}

fn find(m: &Machine<'_>, receiver: &Object, value: &Object) -> Res<Option<usize>> {
    let values = m.collect(receiver)?;
    for (at, known) in values.iter().enumerate() {
        if known.is(value) || m.equal(known, value)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn remove(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [value] = args.exactly("remove")?;
    match find(m, receiver, &value)? {
        Some(at) => {
            list(receiver)?.borrow_mut().remove(at);
            Ok(Object::None)
        }
        None => value_error("list.remove(x): x not in list"),
    }
}

fn pop(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("pop", 0, 1)?;
    let mut values = list(receiver)?.borrow_mut();
    m.step(values.len() / 16)?;
    if values.is_empty() {
        return index_error("pop from empty list");
    }
    let at = match args.get(0) {
        None => values.len() - 1,
        Some(index) => crate::access::position("pop", index, values.len())?,
    };
    Ok(values.remove(at))
}

fn index(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("index", 1, 3)?;
    let values = m.collect(receiver)?;
    let bound = |at: usize, default: usize| args.get(at).map_or(Ok(default), |at| start_of(at, values.len()));
    let (start, end) = (bound(1, 0)?, bound(2, values.len())?);
    for (at, known) in values.iter().enumerate().take(end).skip(start) {
        if m.equal(known, &args.positional[0])? {
            return Ok(Object::Int(at as i64));
        }
    }
    match receiver {
        Object::List(_) => value_error(format!("{} is not in list", m.repr(&args.positional[0])?)),
        _ => value_error("tuple.index(x): x not in tuple"),
    }
}

fn count(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [value] = args.exactly("count")?;
    let mut found = 0;
    for known in m.collect(receiver)? {
        found += i64::from(m.equal(&known, &value)?);
    }
    Ok(Object::Int(found))
}

fn sort(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let list = list(receiver)?;
    let values = list.take();
    let sorted = sorted(m, values.clone(), args);
    *list.borrow_mut() = sorted.as_ref().map_or(values, Clone::clone);
    sorted.map(|_| Object::None)
}

/// Values in order, by `cmp`, `key` and `reverse`.
pub(crate) fn sorted(m: &Machine<'_>, mut values: Vec<Object>, mut args: Args) -> Res<Vec<Object>> {
    let named =
        |args: &mut Args, name: &str| args.take_keyword(name).filter(|value| !matches!(value, Object::None));
    let (cmp, key, reverse) = (named(&mut args, "cmp"), named(&mut args, "key"), named(&mut args, "reverse"));
    args.count("sort", 0, 3)?;
    let given = |at: usize| args.get(at).filter(|value| !matches!(value, Object::None)).cloned();
    let (cmp, key, reverse) =
        (cmp.or_else(|| given(0)), key.or_else(|| given(1)), reverse.or_else(|| given(2)));
    let reverse = reverse.is_some_and(|reverse| m.truth(&reverse));
    m.charge_values(4 * values.len())?;
    let mut keyed = Vec::with_capacity(values.len());
    for value in values.drain(..) {
        let by = match &key {
            Some(key) => m.call(key, Args::of(vec![value.clone()]))?,
            None => value.clone(),
        };
        keyed.push((by, value));
    }
    // Equal values keep their order in both directions.
    if reverse {
        keyed.reverse();
    }
    merge_sort(&mut keyed, &mut |(a, _), (b, _)| match &cmp {
        None => Ok(m.compare(a, b)?.is_lt()),
        Some(cmp) => {
            let order = m.call(cmp, Args::of(vec![a.clone(), b.clone()]))?;
            match to_long(&order) {
                Some(order) => Ok(order.sign() == num_bigint::Sign::Minus),
                None => {
                    type_error("comparison function must return int, not ".to_owned() + order.type_name())
                }
            }
        }
    })?;
    if reverse {
        keyed.reverse();
    }
    Ok(keyed.into_iter().map(|(_, value)| value).collect())
}

fn reverse(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("reverse", 0, 0)?;
    let mut values = list(receiver)?.borrow_mut();
    m.step(values.len() / 16)?;
    values.reverse();
    Ok(Object::None)
}

fn copy(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("copy", 0, 0)?;
    m.list(m.collect(receiver)?)
}

fn clear(_: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("clear", 0, 0)?;
    list(receiver)?.borrow_mut().clear();
    Ok(Object::None)
}

fn next(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("next", 0, 0)?;
    let Object::Iter(iter) = receiver else { return type_error("an iterator is required") };
    m.next(iter)?.ok_or_else(|| Stop::raise(STOP_ITERATION, ""))
}
