//! Attributes, indices, slices.

use std::rc::Rc;

use num_bigint::Sign;
use num_traits::ToPrimitive;

use crate::args::Args;
use crate::ast::Name;
use crate::machine::Machine;
use crate::methods;
use crate::modules::re;
use crate::number::to_long;
use crate::object::{Dict, List, MethodFn, Object, Range, Type, put};
use crate::stop::{Exception, KEY_ERROR, Res, Stop, attribute_error, index_error, type_error, value_error};

impl Machine<'_> {
    /// A method of one of Python's own types.
    pub(crate) fn method_of(&self, object: &Object, name: &str) -> Option<(&'static str, MethodFn)> {
        let methods = match object {
            Object::Str(_) => methods::str::METHODS,
            Object::List(_) => methods::list::METHODS,
            Object::Tuple(_) => methods::list::TUPLE_METHODS,
            Object::Dict(_) => methods::dict::METHODS,
            Object::Set(set) if set.frozen => methods::set::FROZEN_METHODS,
            Object::Set(_) => methods::set::METHODS,
            Object::Iter(_) => methods::list::ITERATOR_METHODS,
            Object::Pattern(_) => re::PATTERN_METHODS,
            Object::Match(_) => re::MATCH_METHODS,
            Object::File(_) => methods::file::METHODS,
            _ => return None,
        };
        methods.iter().find(|(known, _)| *known == name).copied()
    }

    pub(crate) fn attribute(&self, object: &Object, name: &Name) -> Res {
        let id = name.as_str();
        if let Object::Module(module) = object {
            let found = module.names.borrow().get(&Object::name_key(name)).map(|(_, value)| value.clone());
            return match (found, id) {
                (Some(found), _) => Ok(found),
                (None, "__name__") => self.string(module.name.as_str()),
                (None, "__dict__") => Ok(Object::Dict(module.names.clone())),
                (None, _) => attribute_error(format!("'module' object has no attribute '{id}'")),
            };
        }
        if let Some((name, call)) = self.method_of(object, id) {
            return self.method(object.clone(), name, call);
        }
        match (object, id) {
            (Object::Exception(exception), _) => {
                if let Some(value) = self.exception_attribute(exception, id)? {
                    return Ok(value);
                }
            }
            (Object::Function(function), "__name__" | "func_name") => {
                return Ok(Object::Str(function.code.name.clone()));
            }
            (Object::Builtin(builtin), "__name__") => return Ok(Object::text(builtin.name)),
            (Object::Method(method), "__name__") => return Ok(Object::text(method.name)),
            (Object::Type(of), "__name__") => return Ok(Object::text(of.name())),
            (Object::Class(class), "__name__") => return Ok(Object::text(class.name())),
            (Object::Type(_), "__module__") => return Ok(Object::text("__builtin__")),
            (Object::Type(Type::Dict), "fromkeys") => return Ok(Object::Builtin(&methods::dict::FROMKEYS)),
            (Object::Type(_), _) => {
                if let Some(method) = self.unbound(object, name)? {
                    return Ok(method);
                }
            }
            (Object::Int(_) | Object::Bool(_) | Object::Long(_), "real" | "numerator") => {
                return Ok(object.clone());
            }
            (Object::Match(found), _) => {
                if let Some(value) = re::match_attribute(found, id) {
                    return Ok(value);
                }
            }
            (Object::Pattern(pattern), "pattern") => return Ok(Object::Str(pattern.text.clone())),
            (Object::File(file), "name") => return self.string(file.name.as_str()),
            (Object::File(_), "closed") => return Ok(Object::Bool(false)),
            _ => {}
        }
        match (object, id) {
            (_, "__doc__") => Ok(Object::None),
            (Object::Exception(exception), "__class__") => Ok(Object::Class(exception.class)),
            (_, "__class__") => Ok(Object::Type(object.type_of())),
            (Object::Type(of), _) => {
                attribute_error(format!("type object '{}' has no attribute '{id}'", of.name()))
            }
            _ => attribute_error(format!("'{}' object has no attribute '{id}'", object.type_name())),
        }
    }

    fn exception_attribute(&self, exception: &Exception, name: &str) -> Res<Option<Object>> {
        let args = exception.args.borrow().clone();
        let environment = exception.class.is_below(crate::stop::ENVIRONMENT_ERROR);
        Ok(match name {
            "args" => Some(self.tuple(args)?),
            "message" => Some(if args.len() == 1 { args[0].clone() } else { Object::text("") }),
            "errno" if environment => Some(if args.len() == 2 { args[0].clone() } else { Object::None }),
            "strerror" if environment => Some(args.get(1).cloned().unwrap_or(Object::None)),
            "code" if exception.class == crate::stop::SYSTEM_EXIT => {
                Some(args.first().cloned().unwrap_or(Object::None))
            }
            _ => None,
        })
    }

    /// `str.upper` and the like: a method that takes its object as the first argument.
    fn unbound(&self, of: &Object, name: &Name) -> Res<Option<Object>> {
        let Object::Type(of) = of else { return Ok(None) };
        let methods = match of {
            Type::Str | Type::Unicode | Type::BaseString => methods::str::METHODS,
            Type::List => methods::list::METHODS,
            Type::Dict => methods::dict::METHODS,
            Type::Set => methods::set::METHODS,
            _ => return Ok(None),
        };
        let Some((known, _)) = methods.iter().find(|(known, _)| *known == name.as_str()) else {
            return Ok(None);
        };
        fn call(machine: &Machine<'_>, name: &Object, mut args: Args) -> Res {
            let name = name.as_str().unwrap_or_default();
            if args.positional.is_empty() {
                return type_error(format!("descriptor '{name}' of an object needs an argument"));
            }
            let object = args.positional.remove(0);
            match machine.method_of(&object, name) {
                Some((_, method)) => method(machine, &object, args),
                None => type_error(format!(
                    "descriptor '{name}' does not apply to a '{}' object",
                    object.type_name()
                )),
            }
        }
        self.method(Object::text(*known), known, call).map(Some)
    }

    pub(crate) fn set_attribute(&self, object: &Object, name: &Name, value: Object) -> Res<()> {
        match object {
            Object::Module(module) => {
                self.charge_values(8)?;
                module.names.borrow_mut().insert(Object::name_key(name), (Object::Str(name.clone()), value));
                Ok(())
            }
            other => attribute_error(format!(
                "'{}' object attribute '{}' cannot be set",
                other.type_name(),
                name.as_str()
            )),
        }
    }

    pub(crate) fn index(&self, object: &Object, index: &Object) -> Res {
        if let Object::Slice(slice) = index {
            return self.slice(object, slice);
        }
        match object {
            Object::Dict(dict) => self.dict_item(dict, index),
            Object::List(list) => {
                let values = list.borrow();
                let at = position("list", index, values.len())?;
                Ok(values[at].clone())
            }
            Object::Tuple(tuple) => Ok(tuple[position("tuple", index, tuple.len())?].clone()),
            Object::Str(text) => {
                let at = position("string", index, text.chars())?;
                self.scan(text.as_str().len())?;
                self.string(text.slice(at, at + 1))
            }
            Object::Range(range) => {
                let at = position("xrange object", index, range.len as usize)?;
                Ok(Object::Int(range.start.wrapping_add(range.step.wrapping_mul(at as i64))))
            }
            Object::Exception(exception) => {
                let args = exception.args.borrow();
                Ok(args[position("tuple", index, args.len())?].clone())
            }
            Object::Match(_) => re::group(self, object, index),
            Object::Function(_) => type_error("'function' object has no attribute '__getitem__'"),
            other => type_error(format!("'{}' object has no attribute '__getitem__'", other.type_name())),
        }
    }

    fn dict_item(&self, dict: &Dict, key: &Object) -> Res {
        let found = dict.borrow().get(&self.key(key)?).map(|(_, value)| value.clone());
        found.ok_or_else(|| {
            let exception = Exception { class: KEY_ERROR, args: vec![key.clone()].into(), denied: false };
            Stop::from_exception(Rc::new(exception))
        })
    }

    fn slice(&self, object: &Object, slice: &[Object; 3]) -> Res {
        match object {
            Object::List(list) => {
                let values = list.borrow();
                let picked = self.pick(&values, slice)?;
                self.list(picked)
            }
            Object::Tuple(tuple) => {
                let picked = self.pick(tuple, slice)?;
                self.tuple(picked)
            }
            Object::Str(text) => {
                let bounds = Bounds::of(slice, text.chars())?;
                if bounds.step == 1 {
                    self.scan(text.as_str().len())?;
                    let end = bounds.start + bounds.count;
                    return self.string(text.slice(bounds.start, end));
                }
                self.charge(4 * text.as_str().len())?;
                let chars: Vec<char> = text.as_str().chars().collect();
                let picked: String = bounds.positions().map(|at| chars[at]).collect();
                self.string(picked)
            }
            Object::Range(_) => {
                let values = self.collect(object)?;
                let picked = self.pick(&values, slice)?;
                self.list(picked)
            }
            Object::Dict(_) => type_error("unhashable type"),
            other => type_error(format!("'{}' object has no attribute '__getitem__'", other.type_name())),
        }
    }

    fn pick(&self, values: &[Object], slice: &[Object; 3]) -> Res<Vec<Object>> {
        let bounds = Bounds::of(slice, values.len())?;
        self.charge_values(bounds.count)?;
        Ok(bounds.positions().map(|at| values[at].clone()).collect())
    }

    pub(crate) fn set_index(&self, object: &Object, index: &Object, value: Object) -> Res<()> {
        match (object, index) {
            (Object::List(list), Object::Slice(slice)) => self.set_slice(list, slice, &value),
            (Object::List(list), _) => {
                let mut values = list.borrow_mut();
                let at = assign_position(index, values.len())?;
                values[at] = value;
                Ok(())
            }
            (Object::Dict(dict), _) => {
                self.charge_values(8)?;
                let key = self.key(index)?;
                put(&mut dict.borrow_mut(), key, index.clone(), value);
                Ok(())
            }
            (other, _) => {
                type_error(format!("'{}' object does not support item assignment", other.type_name()))
            }
        }
    }

    fn set_slice(&self, list: &List, slice: &[Object; 3], value: &Object) -> Res<()> {
        let new = match self.iterate(value) {
            Ok(_) => self.collect(value)?,
            Err(_) => return type_error("can only assign an iterable"),
        };
        let mut values = list.borrow_mut();
        let bounds = Bounds::of(slice, values.len())?;
        self.charge_values(new.len())?;
        self.step(values.len() / 16)?;
        if bounds.step == 1 {
            let end = bounds.start + bounds.count;
            values.splice(bounds.start..end, new);
            return Ok(());
        }
        if new.len() != bounds.count {
            return value_error(format!(
                "attempt to assign sequence of size {} to extended slice of size {}",
                new.len(),
                bounds.count
            ));
        }
        for (at, value) in bounds.positions().zip(new) {
            values[at] = value;
        }
        Ok(())
    }

    pub(crate) fn delete_index(&self, object: &Object, index: &Object) -> Res<()> {
        match (object, index) {
            (Object::List(list), Object::Slice(slice)) => {
                let mut values = list.borrow_mut();
                self.step(values.len())?;
                let bounds = Bounds::of(slice, values.len())?;
                let mut gone = vec![false; values.len()];
                bounds.positions().for_each(|at| gone[at] = true);
                let mut gone = gone.into_iter();
                values.retain(|_| !gone.next().unwrap_or(false));
                Ok(())
            }
            (Object::List(list), _) => {
                let mut values = list.borrow_mut();
                self.step(values.len() / 16)?;
                let at = assign_position(index, values.len())?;
                values.remove(at);
                Ok(())
            }
            (Object::Dict(dict), _) => {
                self.dict_item(dict, index)?;
                self.step(dict.borrow().len())?;
                dict.borrow_mut().shift_remove(&self.key(index)?);
                Ok(())
            }
            (other, _) => type_error(format!("'{}' object doesn't support item deletion", other.type_name())),
        }
    }
}

/// An index into `len` things, from the end if it is negative.
pub(crate) fn position(of: &str, index: &Object, len: usize) -> Res<usize> {
    let Some(long) = to_long(index) else {
        return type_error(format!("{of} indices must be integers, not {}", index.type_name()));
    };
    let at = match long.to_i64() {
        Some(at) if at < 0 => at.checked_add(len as i64),
        at => at,
    };
    match at.and_then(|at| usize::try_from(at).ok()).filter(|at| *at < len) {
        Some(at) => Ok(at),
        None => index_error(format!("{of} index out of range")),
    }
}

fn assign_position(index: &Object, len: usize) -> Res<usize> {
    position("list", index, len).map_err(|stop| {
        if stop.is(crate::stop::INDEX_ERROR) {
            Stop::raise(crate::stop::INDEX_ERROR, "list assignment index out of range")
        } else {
            stop
        }
    })
}

/// What a slice takes of a sequence.
pub(crate) struct Bounds {
    pub(crate) start: usize,
    pub(crate) step: i64,
    pub(crate) count: usize,
}

impl Bounds {
    pub(crate) fn of(slice: &[Object; 3], len: usize) -> Res<Self> {
        let len = len as i64;
        let step = match &slice[2] {
            Object::None => 1,
            step => slice_index(step)?,
        };
        if step == 0 {
            return value_error("slice step cannot be zero");
        }
        let (least, most) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let bound = |index: &Object, default: i64| -> Res<i64> {
            match index {
                Object::None => Ok(default),
                index => {
                    let at = slice_index(index)?;
                    let at = if at < 0 { at.saturating_add(len) } else { at };
                    Ok(at.clamp(least, most))
                }
            }
        };
        let start = bound(&slice[0], if step > 0 { least } else { most })?;
        let stop = bound(&slice[1], if step > 0 { most } else { least })?;
        let distance = if step > 0 { stop.saturating_sub(start) } else { start.saturating_sub(stop) };
        let stride = step.unsigned_abs();
        let count = if distance <= 0 { 0 } else { ((distance as u64 - 1) / stride + 1) as usize };
        Ok(Self { start: start.max(0) as usize, step, count })
    }

    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> + use<> {
        let (start, step) = (self.start as i64, self.step);
        (0..self.count as i64).map(move |n| (start + n * step) as usize)
    }
}

/// An index of a slice: what is too large is as good as the end.
fn slice_index(index: &Object) -> Res<i64> {
    let Some(long) = to_long(index) else {
        return type_error("slice indices must be integers or None or have an __index__ method");
    };
    Ok(long.to_i64().unwrap_or(if long.sign() == Sign::Minus { i64::MIN } else { i64::MAX }))
}

/// How many numbers a range has.
pub(crate) fn range_of(start: i64, stop: i64, step: i64) -> Range {
    let (start_wide, stop_wide, step_wide) = (i128::from(start), i128::from(stop), i128::from(step));
    let len = if step > 0 && start < stop {
        (stop_wide - start_wide - 1) / step_wide + 1
    } else if step < 0 && start > stop {
        (start_wide - stop_wide - 1) / -step_wide + 1
    } else {
        0
    };
    Range { start, step, len: len as u64 }
}
