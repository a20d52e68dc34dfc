//! Functions on whatever can be gone through. As in Python 2, those that make sequences make lists.

use std::rc::Rc;

use super::convert::range_args;
use crate::args::Args;
use crate::ast::BinaryOp;
use crate::iterate::{Iter, State};
use crate::machine::Machine;
use crate::methods;
use crate::object::Object;
use crate::stop::{Res, STOP_ITERATION, Stop, type_error, value_error};

pub(super) fn all(m: &Machine<'_>, args: Args) -> Res {
    let [values] = args.exactly("all")?;
    let mut state = m.iterate(&values)?;
    while let Some(value) = m.advance(&mut state)? {
        if !m.truth(&value) {
            return Ok(Object::Bool(false));
        }
    }
    Ok(Object::Bool(true))
}

pub(super) fn any(m: &Machine<'_>, args: Args) -> Res {
    let [values] = args.exactly("any")?;
    let mut state = m.iterate(&values)?;
    while let Some(value) = m.advance(&mut state)? {
        if m.truth(&value) {
            return Ok(Object::Bool(true));
        }
    }
    Ok(Object::Bool(false))
}

pub(super) fn iter(m: &Machine<'_>, args: Args) -> Res {
    let [values] = args.exactly("iter")?;
    match &values {
        Object::Iter(_) => Ok(values),
        _ => m.iter_object(m.iterate(&values)?),
    }
}

pub(super) fn next(m: &Machine<'_>, args: Args) -> Res {
    args.count("next", 1, 2)?;
    let next = match &args.positional[0] {
        Object::Iter(iter) => m.next(iter)?,
        Object::File(file) => methods::file::line(file).map(|line| m.string(line)).transpose()?,
        other => return type_error(format!("{} object is not an iterator", other.type_name())),
    };
    next.or_else(|| args.get(1).cloned()).ok_or_else(|| Stop::raise(STOP_ITERATION, ""))
}

pub(super) fn enumerate(m: &Machine<'_>, mut args: Args) -> Res {
    let start = args.take_keyword("start");
    args.count("enumerate", 1, 2)?;
    let start = match start.as_ref().or(args.get(1)) {
        None => 0,
        Some(Object::Int(start)) => *start,
        Some(_) => return type_error("an integer is required"),
    };
    let inner = match &args.positional[0] {
        Object::Iter(iter) => iter.clone(),
        values => match m.iter_object(m.iterate(values)?)? {
            Object::Iter(iter) => iter,
            _ => Rc::new(Iter::new(State::Done)),
        },
    };
    m.iter_object(State::Enumerate(inner, start))
}

pub(super) fn filter(m: &Machine<'_>, args: Args) -> Res {
    let [function, values] = args.exactly("filter")?;
    let mut kept = Vec::new();
    for value in m.collect(&values)? {
        let keeps = match &function {
            Object::None => m.truth(&value),
            function => m.truth(&m.call(function, Args::of(vec![value.clone()]))?),
        };
        if keeps {
            kept.push(value);
        }
    }
    // Strings and tuples stay what they are.
    match &values {
        Object::Str(_) => methods::str::split::joined(m, "", &m.list(kept)?),
        Object::Tuple(_) => m.tuple(kept),
        _ => m.list(kept),
    }
}

pub(super) fn map(m: &Machine<'_>, args: Args) -> Res {
    let [function, first, rest @ ..] = args.positional.as_slice() else {
        return type_error("map() requires at least two args");
    };
    let mut columns = vec![m.collect(first)?];
    for more in rest {
        columns.push(m.collect(more)?);
    }
    let len = columns.iter().map(Vec::len).max().unwrap_or(0);
    m.charge_values(len.saturating_mul(columns.len()))?;
    let mut mapped = Vec::new();
    for at in 0..len {
        let row: Vec<Object> =
            columns.iter().map(|column| column.get(at).cloned().unwrap_or(Object::None)).collect();
        mapped.push(match function {
            Object::None if row.len() == 1 => row[0].clone(),
            Object::None => m.tuple(row)?,
            function => m.call(function, Args::of(row))?,
        });
    }
    m.list(mapped)
}

pub(super) fn zip(m: &Machine<'_>, args: Args) -> Res {
    let mut states = args.positional.iter().map(|values| m.iterate(values)).collect::<Res<Vec<_>>>()?;
    let mut rows = Vec::new();
    'rows: while !states.is_empty() {
        let mut row = Vec::with_capacity(states.len());
        for state in &mut states {
            match m.advance(state)? {
                Some(value) => row.push(value),
                None => break 'rows,
            }
        }
        m.charge_values(1)?;
        rows.push(m.tuple(row)?);
    }
    m.list(rows)
}

pub(super) fn reduce(m: &Machine<'_>, args: Args) -> Res {
    args.count("reduce", 2, 3)?;
    let mut state = m.iterate(&args.positional[1])?;
    let mut total = match args.get(2) {
        Some(start) => start.clone(),
        None => match m.advance(&mut state)? {
            Some(first) => first,
            None => return type_error("reduce() of empty sequence with no initial value"),
        },
    };
    while let Some(value) = m.advance(&mut state)? {
        total = m.call(&args.positional[0], Args::of(vec![total, value]))?;
    }
    Ok(total)
}

pub(super) fn sum(m: &Machine<'_>, args: Args) -> Res {
    args.count("sum", 1, 2)?;
    let mut total = args.get(1).cloned().unwrap_or(Object::Int(0));
    if matches!(total, Object::Str(_)) {
        return type_error("sum() can't sum strings [use ''.join(seq) instead]");
    }
    let mut state = m.iterate(&args.positional[0])?;
    while let Some(value) = m.advance(&mut state)? {
        total = m.binary(BinaryOp::Add, &total, &value)?;
    }
    Ok(total)
}

fn extreme(m: &Machine<'_>, mut args: Args, name: &str, greatest: bool) -> Res {
    let key = args.take_keyword("key").filter(|key| !matches!(key, Object::None));
    args.count(name, 1, usize::MAX)?;
    let values = match args.positional.as_slice() {
        [one] => m.collect(one)?,
        several => several.to_vec(),
    };
    let mut best: Option<(Object, Object)> = None;
    for value in values {
        let by = match &key {
            Some(key) => m.call(key, Args::of(vec![value.clone()]))?,
            None => value.clone(),
        };
        let better = match &best {
            None => true,
            Some((known, _)) => {
                let order = m.compare(&by, known)?;
                if greatest { order.is_gt() } else { order.is_lt() }
            }
        };
        if better {
            best = Some((by, value));
        }
    }
    best.map(|(_, value)| value).map_or_else(|| value_error(format!("{name}() arg is an empty sequence")), Ok)
}

pub(super) fn max(m: &Machine<'_>, args: Args) -> Res {
    extreme(m, args, "max", true)
}

pub(super) fn min(m: &Machine<'_>, args: Args) -> Res {
    extreme(m, args, "min", false)
}

pub(super) fn sorted(m: &Machine<'_>, mut args: Args) -> Res {
    if args.positional.is_empty() {
        return type_error("Required argument 'iterable' (pos 1) not found");
    }
    let values = args.positional.remove(0);
    let values = m.collect(&values)?;
    m.list(methods::list::sorted(m, values, args)?)
}

pub(super) fn reversed(m: &Machine<'_>, args: Args) -> Res {
    let [values] = args.exactly("reversed")?;
    if !matches!(values, Object::List(_) | Object::Tuple(_) | Object::Str(_) | Object::Range(_)) {
        return type_error("argument to reversed() must be a sequence");
    }
    let mut values = m.collect(&values)?;
    values.reverse();
    m.iter_object(State::Values(values, 0))
}

pub(super) fn range(m: &Machine<'_>, args: Args) -> Res {
    let range = range_args(&args, "range")?;
    m.charge_values(usize::try_from(range.len).unwrap_or(usize::MAX))?;
    let values = (0..range.len).map(|at| range.start.wrapping_add(range.step.wrapping_mul(at as i64)));
    m.list(values.map(Object::Int).collect())
}

pub(super) fn xrange(m: &Machine<'_>, args: Args) -> Res {
    let range = range_args(&args, "xrange")?;
    m.keep(Object::Range(Rc::new(range)))
}
