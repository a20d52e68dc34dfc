//! Truth, equality, order, and the keys by which dictionaries find equal objects. Order is Python 2's: anything can be
//! compared with anything.

use std::cmp::Ordering;
use std::rc::Rc;

use indexmap::IndexMap;
use num_bigint::BigInt;
use num_traits::{FromPrimitive, ToPrimitive, Zero};

use crate::ast::CompareOp;
use crate::machine::Machine;
use crate::object::{Key, Object};
use crate::stop::{Res, type_error};

impl Machine<'_> {
    /// Whether an object counts as true.
    pub(crate) fn truth(&self, object: &Object) -> bool {
        match object {
            Object::None => false,
            Object::Bool(value) => *value,
            Object::Int(value) => *value != 0,
            Object::Long(value) => !value.is_zero(),
            Object::Float(value) => *value != 0.0,
            Object::Str(text) => text.chars() != 0,
            Object::List(list) => !list.borrow().is_empty(),
            Object::Tuple(tuple) => !tuple.is_empty(),
            Object::Dict(dict) => !dict.borrow().is_empty(),
            Object::Set(set) => !set.items.borrow().is_empty(),
            Object::Range(range) => range.len != 0,
            _ => true,
        }
    }

    pub(crate) fn compare_by(&self, op: CompareOp, left: &Object, right: &Object) -> Res<bool> {
        Ok(match op {
            CompareOp::Equal => self.equal(left, right)?,
            CompareOp::NotEqual => !self.equal(left, right)?,
            CompareOp::Is => left.is(right),
            CompareOp::IsNot => !left.is(right),
            CompareOp::In => self.contains(right, left)?,
            CompareOp::NotIn => !self.contains(right, left)?,
            // No order holds between a number and one that is none.
            _ if is_nan(left) || is_nan(right) => false,
            _ if matches!((left, right), (Object::Set(_), Object::Set(_))) => {
                self.subset_by(op, left, right)?
            }
            CompareOp::Less => self.compare(left, right)?.is_lt(),
            CompareOp::LessEqual => self.compare(left, right)?.is_le(),
            CompareOp::Greater => self.compare(left, right)?.is_gt(),
            CompareOp::GreaterEqual => self.compare(left, right)?.is_ge(),
        })
    }

    /// Sets are ordered by what they contain.
    fn subset_by(&self, op: CompareOp, left: &Object, right: &Object) -> Res<bool> {
        let (Object::Set(a), Object::Set(b)) = (left, right) else { return Ok(false) };
        let (a, b) = (a.items.borrow(), b.items.borrow());
        self.step(a.len() + b.len())?;
        let within = a.keys().all(|key| b.contains_key(key));
        let around = b.keys().all(|key| a.contains_key(key));
        Ok(match op {
            CompareOp::Less => within && a.len() < b.len(),
            CompareOp::LessEqual => within,
            CompareOp::Greater => around && b.len() < a.len(),
            _ => around,
        })
    }

    pub(crate) fn equal(&self, left: &Object, right: &Object) -> Res<bool> {
        self.step(1)?;
        if let Some(order) = numbers(left, right) {
            return Ok(order == Some(Ordering::Equal));
        }
        match (left, right) {
            (Object::Str(a), Object::Str(b)) => {
                self.scan(a.as_str().len().min(b.as_str().len()))?;
                Ok(a == b)
            }
            (Object::List(a), Object::List(b)) => {
                if Rc::ptr_eq(a, b) {
                    return Ok(true);
                }
                let (a, b) = (a.borrow(), b.borrow());
                Ok(a.len() == b.len() && self.all_equal(&a, &b)?)
            }
            (Object::Tuple(a), Object::Tuple(b)) => Ok(a.len() == b.len() && self.all_equal(a, b)?),
            (Object::Dict(a), Object::Dict(b)) => {
                if Rc::ptr_eq(a, b) {
                    return Ok(true);
                }
                let (a, b) = (a.borrow(), b.borrow());
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (key, (_, value)) in a.iter() {
                    let Some((_, other)) = b.get(key) else { return Ok(false) };
                    if !self.value_level(|| self.equal(value, other))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Object::Set(a), Object::Set(b)) => {
                let (a, b) = (a.items.borrow(), b.items.borrow());
                self.step(a.len())?;
                Ok(a.len() == b.len() && a.keys().all(|key| b.contains_key(key)))
            }
            _ => Ok(left.is(right)),
        }
    }

    fn all_equal(&self, a: &[Object], b: &[Object]) -> Res<bool> {
        for (a, b) in a.iter().zip(b) {
            if !self.value_level(|| Ok(a.is(b) || self.equal(a, b)?))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The order of any two objects.
    pub(crate) fn compare(&self, left: &Object, right: &Object) -> Res<Ordering> {
        self.step(1)?;
        if let Some(order) = numbers(left, right) {
            return Ok(order.unwrap_or(Ordering::Less));
        }
        match (left, right) {
            (Object::Str(a), Object::Str(b)) => {
                self.scan(a.as_str().len().min(b.as_str().len()))?;
                Ok(a.as_str().cmp(b.as_str()))
            }
            (Object::List(a), Object::List(b)) => {
                if Rc::ptr_eq(a, b) {
                    return Ok(Ordering::Equal);
                }
                let (a, b) = (a.borrow(), b.borrow());
                self.compare_all(&a, &b)
            }
            (Object::Tuple(a), Object::Tuple(b)) => self.compare_all(a, b),
            (Object::Dict(a), Object::Dict(b)) => {
                if self.equal(left, right)? {
                    return Ok(Ordering::Equal);
                }
                let by_len = a.borrow().len().cmp(&b.borrow().len());
                if by_len.is_ne() {
                    return Ok(by_len);
                }
                let sorted = |of: &Object| -> Res<Vec<Object>> {
                    let mut items = self.dict_items(of)?;
                    self.sort(&mut items)?;
                    Ok(items)
                };
                self.compare_all(&sorted(left)?, &sorted(right)?)
            }
            _ if left.is(right) => Ok(Ordering::Equal),
            _ => Ok(rank(left).cmp(&rank(right)).then(left.identity().cmp(&right.identity()))),
        }
    }

    fn compare_all(&self, a: &[Object], b: &[Object]) -> Res<Ordering> {
        for (a, b) in a.iter().zip(b) {
            let order =
                self.value_level(|| if a.is(b) { Ok(Ordering::Equal) } else { self.compare(a, b) })?;
            if order.is_ne() {
                return Ok(order);
            }
        }
        Ok(a.len().cmp(&b.len()))
    }

    /// Sorts, stably.
    pub(crate) fn sort(&self, values: &mut Vec<Object>) -> Res<()> {
        merge_sort(values, &mut |a, b| Ok(self.compare(a, b)?.is_lt()))
    }

    /// Whether `container` has `item` in it.
    pub(crate) fn contains(&self, container: &Object, item: &Object) -> Res<bool> {
        match container {
            Object::Str(text) => match item {
                Object::Str(part) => {
                    self.scan(text.as_str().len() + part.as_str().len())?;
                    Ok(text.as_str().contains(part.as_str()))
                }
                other => type_error(format!(
                    "'in <string>' requires string as left operand, not {}",
                    other.type_name()
                )),
            },
            Object::Dict(dict) => Ok(dict.borrow().contains_key(&self.key(item)?)),
            Object::Set(set) => Ok(set.items.borrow().contains_key(&self.key(item)?)),
            _ => {
                let mut state = self.iterate(container).map_err(|stop| {
                    let message = format!("argument of type '{}' is not iterable", container.type_name());
                    if stop.is(crate::stop::TYPE_ERROR) {
                        crate::stop::Stop::raise(crate::stop::TYPE_ERROR, message)
                    } else {
                        stop
                    }
                })?;
                while let Some(value) = self.advance(&mut state)? {
                    if value.is(item) || self.equal(&value, item)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// What an object is found by in a dictionary.
    pub(crate) fn key(&self, object: &Object) -> Res<Key> {
        self.step(1)?;
        Ok(match object {
            Object::None => Key::None,
            Object::Bool(value) => Key::Int(i64::from(*value)),
            Object::Int(value) => Key::Int(*value),
            Object::Long(value) => integer_key(value),
            Object::Float(value) => match BigInt::from_f64(*value) {
                Some(integer) if value.fract() == 0.0 => integer_key(&integer),
                _ => Key::Float(value.to_bits()),
            },
            Object::Str(text) => {
                self.scan(text.as_str().len())?;
                Key::Str(text.clone())
            }
            Object::Tuple(tuple) => {
                self.charge(tuple.len() * size_of::<Key>())?;
                let key = |value| self.value_level(|| self.key(value));
                Key::Tuple(tuple.iter().map(key).collect::<Res<Vec<Key>>>()?.into())
            }
            Object::List(_) | Object::Dict(_) => {
                return type_error(format!("unhashable type: '{}'", object.type_name()));
            }
            Object::Set(set) if !set.frozen => return type_error("unhashable type: 'set'"),
            Object::Slice(_) => return type_error("unhashable type"),
            Object::Type(of) => Key::Identity(of.name().as_ptr() as usize),
            other => Key::Identity(other.identity().unwrap_or_default()),
        })
    }

    pub(crate) fn make_set(&self, values: &[Object], frozen: bool) -> Res {
        let mut items = IndexMap::new();
        for value in values {
            items.entry(self.key(value)?).or_insert_with(|| value.clone());
        }
        self.set(items, frozen)
    }
}

/// Sorts, stably, whatever `precedes` says: the library's sort may panic where it contradicts itself, and a script's
/// `cmp` may well.
pub(crate) fn merge_sort<T: Clone>(
    values: &mut Vec<T>,
    precedes: &mut dyn FnMut(&T, &T) -> Res<bool>,
) -> Res<()> {
    let mut width = 1;
    while width < values.len() {
        let mut merged = Vec::with_capacity(values.len());
        for run in values.chunks(2 * width) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
                if precedes(b, a)? {
                    merged.push(b.clone());
                    right = right_rest;
                } else {
                    merged.push(a.clone());
                    left = left_rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *values = merged;
        width *= 2;
    }
    Ok(())
}

fn integer_key(value: &BigInt) -> Key {
    value.to_i64().map_or_else(|| Key::Long(Rc::new(value.clone())), Key::Int)
}

fn is_nan(object: &Object) -> bool {
    matches!(object, Object::Float(value) if value.is_nan())
}

/// The order of two numbers; `Some(None)` if one is not a number, `None` if one is no number at all.
fn numbers(left: &Object, right: &Object) -> Option<Option<Ordering>> {
    match (left, right) {
        (Object::Float(a), Object::Float(b)) => Some(a.partial_cmp(b)),
        (Object::Float(a), b) => integer(b).map(|b| float_order(*a, &b)),
        (a, Object::Float(b)) => integer(a).map(|a| float_order(*b, &a).map(Ordering::reverse)),
        (Object::Int(a), Object::Int(b)) => Some(Some(a.cmp(b))),
        (a, b) => Some(Some(integer(a)?.cmp(&integer(b)?))),
    }
}

fn integer(object: &Object) -> Option<BigInt> {
    match object {
        Object::Bool(value) => Some(BigInt::from(u8::from(*value))),
        Object::Int(value) => Some(BigInt::from(*value)),
        Object::Long(value) => Some((**value).clone()),
        _ => None,
    }
}

fn float_order(float: f64, integer: &BigInt) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    match BigInt::from_f64(float.trunc()) {
        None => Some(if float > 0.0 { Ordering::Greater } else { Ordering::Less }),
        Some(whole) => Some(whole.cmp(integer).then(float.fract().partial_cmp(&0.0)?)),
    }
}

/// How Python 2 orders objects of different types: nothing, numbers, then by the type's name.
fn rank(object: &Object) -> (u8, &'static str) {
    match object {
        Object::None => (0, ""),
        Object::Bool(_) | Object::Int(_) | Object::Long(_) | Object::Float(_) => (1, ""),
        other => (2, other.type_name()),
    }
}
