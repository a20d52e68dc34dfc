//! Calls.

use std::cell::RefCell;
use std::rc::Rc;

use super::Flow;
use crate::args::Args;
use crate::ast::{self, ExprKind, Name};
use crate::machine::{Frame, Machine};
use crate::object::{Entries, Function, Object, Scope};
use crate::stop::{Exception, Res, type_error};

impl Machine<'_> {
    pub(super) fn eval_call(&self, frame: &Frame, call: &ast::Call) -> Res {
        // A method that is called at once needs no object that stands for it.
        if let ExprKind::Attribute(receiver, name) = &call.function.kind {
            let receiver = self.eval(frame, receiver)?;
            if let Some((_, method)) = self.method_of(&receiver, name.as_str()) {
                return method(self, &receiver, self.eval_args(frame, call)?);
            }
            let function = self
                .attribute(&receiver, name)
                .map_err(|stop| stop.at(&frame.unit.source, call.function.span))?;
            return self.call(&function, self.eval_args(frame, call)?);
        }
        let function = self.eval(frame, &call.function)?;
        self.call(&function, self.eval_args(frame, call)?)
    }

    fn eval_args(&self, frame: &Frame, call: &ast::Call) -> Res<Args> {
        let positional = self.eval_all(frame, &call.positional)?;
        let mut keywords: Vec<(Name, Object)> = Vec::with_capacity(call.keywords.len());
        for (name, value) in &call.keywords {
            let value = self.eval(frame, value)?;
            let given = match (name, value) {
                (Some(name), value) => vec![(name.clone(), value)],
                (None, Object::Dict(dict)) => {
                    self.charge_values(2 * dict.borrow().len())?;
                    let mut given = Vec::new();
                    for (key, value) in dict.borrow().values() {
                        let Object::Str(name) = key else { return type_error("keywords must be strings") };
                        given.push((name.clone(), value.clone()));
                    }
                    given
                }
                (None, other) => {
                    return type_error(format!(
                        "argument after ** must be a mapping, not {}",
                        other.type_name()
                    ));
                }
            };
            for (name, value) in given {
                self.step(keywords.len())?;
                if keywords.iter().any(|(known, _)| *known == name) {
                    return type_error(format!(
                        "got multiple values for keyword argument '{}'",
                        name.as_str()
                    ));
                }
                keywords.push((name, value));
            }
        }
        Ok(Args { positional, keywords })
    }

    /// Calls whatever can be called.
    pub(crate) fn call(&self, callee: &Object, args: Args) -> Res {
        match callee {
            Object::Function(function) => self.deeper(|| self.call_function(function, args)),
            Object::Builtin(builtin) => self.deeper(|| (builtin.call)(self, args)),
            Object::Method(method) => self.deeper(|| (method.call)(self, &method.receiver, args)),
            Object::Type(of) => self.deeper(|| self.construct(*of, args)),
            Object::Class(class) => {
                if !args.keywords.is_empty() {
                    return type_error(format!("{} does not take keyword arguments", class.name()));
                }
                self.charge_values(args.positional.len())?;
                let args = RefCell::new(args.positional);
                self.keep(Object::Exception(Rc::new(Exception { class: *class, args, denied: false })))
            }
            other => type_error(format!("'{}' object is not callable", other.type_name())),
        }
    }

    fn call_function(&self, function: &Function, args: Args) -> Res {
        let code = &function.code;
        self.charge_values(code.slots.len() + 6)?;
        let slots = self.bind(function, args)?;
        let scope = Rc::new(Scope { slots: RefCell::new(slots), parent: function.scope.clone() });
        let frame = Frame { unit: function.unit.clone(), scope: Some(scope), code: Some(code.clone()) };
        match self.in_frame(&frame, || self.block(&frame, &code.body))? {
            Flow::Return(value) => Ok(value),
            Flow::Next | Flow::Break | Flow::Continue => Ok(Object::None),
        }
    }

    /// Puts arguments into a function's slots.
    fn bind(&self, function: &Function, args: Args) -> Res<Vec<Option<Object>>> {
        let code = &function.code;
        let name = code.name.as_str();
        let given = args.positional.len() + args.keywords.len();
        let mut slots = vec![None; code.slots.len()];
        let mut positional = args.positional.into_iter();
        for (parameter, value) in code.parameters[..code.positional].iter().zip(positional.by_ref()) {
            slots[usize::from(parameter.slot)] = Some(value);
        }
        let rest: Vec<Object> = positional.collect();
        match code.rest {
            Some(slot) => slots[usize::from(slot)] = Some(self.tuple(rest)?),
            None if !rest.is_empty() => return self.wrong_count(code, given),
            None => {}
        }
        let mut rest = Entries::new();
        for (keyword, value) in args.keywords {
            match code.parameters.iter().find(|parameter| parameter.name == keyword) {
                Some(parameter) if slots[usize::from(parameter.slot)].is_some() => {
                    let message =
                        format!("{name}() got multiple values for keyword argument '{}'", keyword.as_str());
                    return type_error(message);
                }
                Some(parameter) => slots[usize::from(parameter.slot)] = Some(value),
                None if code.rest_keywords.is_some() => {
                    rest.insert(Object::name_key(&keyword), (Object::Str(keyword), value));
                }
                None => {
                    return type_error(format!(
                        "{name}() got an unexpected keyword argument '{}'",
                        keyword.as_str()
                    ));
                }
            }
        }
        if let Some(slot) = code.rest_keywords {
            slots[usize::from(slot)] = Some(Object::Dict(self.dict(rest)?));
        }
        for (at, (parameter, default)) in code.parameters.iter().zip(&function.defaults).enumerate() {
            let slot = &mut slots[usize::from(parameter.slot)];
            if slot.is_none() {
                *slot = default.clone();
            }
            if slot.is_none() && at >= code.positional {
                return type_error(format!(
                    "{name}() needs keyword-only argument {}",
                    parameter.name.as_str()
                ));
            }
            if slot.is_none() {
                return self.wrong_count(code, given);
            }
        }
        Ok(slots)
    }

    fn wrong_count<T>(&self, code: &ast::Function, given: usize) -> Res<T> {
        let most = code.positional;
        let least = code.parameters[..most].iter().filter(|parameter| parameter.default.is_none()).count();
        let name = code.name.as_str();
        if most == 0 && code.rest.is_none() {
            return type_error(format!("{name}() takes no arguments ({given} given)"));
        }
        let (word, wanted) =
            match (least == most && code.rest.is_none(), given < least || code.rest.is_some()) {
                (true, _) => ("exactly", most),
                (false, true) => ("at least", least),
                (false, false) => ("at most", most),
            };
        let plural = if wanted == 1 { "" } else { "s" };
        type_error(format!("{name}() takes {word} {wanted} argument{plural} ({given} given)"))
    }
}
