//! Evaluation of expressions.

mod assign;
mod call;
mod exec;
mod import;
mod try_stmt;

use std::cell::RefCell;
use std::rc::Rc;

use indexmap::IndexMap;

use crate::ast::{CompareOp, Comprehension, Expr, ExprKind, Name, Piece, Place, UnaryOp, What};
use crate::format;
use crate::iterate::{Generator, State};
use crate::machine::{Frame, Machine};
use crate::object::{Entries, Function, Object, Scope, put};
use crate::source::{Source, Span};
use crate::stop::{NAME_ERROR, Res, Stop, UNBOUND_LOCAL_ERROR, type_error};

pub(crate) use exec::Flow;
pub(crate) use import::io_error;

impl Stop {
    /// Notes where it happened, unless something further in did.
    pub(crate) fn at(mut self: Box<Self>, source: &Rc<Source>, span: Span) -> Box<Self> {
        self.place.get_or_insert_with(|| (source.clone(), span));
        self
    }
}

impl Machine<'_> {
    /// The value of an expression.
    pub(crate) fn eval(&self, frame: &Frame, expr: &Expr) -> Res {
        let place = |stop: Box<Stop>| stop.at(&frame.unit.source, expr.span);
        self.step(1).map_err(place)?;
        match &expr.kind {
            ExprKind::Constant(object) => Ok(object.clone()),
            ExprKind::Name(name) => self.load(frame, name).map_err(place),
            _ => self.deeper(|| self.eval_compound(frame, expr)).map_err(place),
        }
    }

    fn eval_compound(&self, frame: &Frame, expr: &Expr) -> Res {
        match &expr.kind {
            ExprKind::Constant(object) => Ok(object.clone()),
            ExprKind::Name(name) => self.load(frame, name),
            ExprKind::List(elements) => self.list(self.eval_all(frame, elements)?),
            ExprKind::Tuple(elements) => self.tuple(self.eval_all(frame, elements)?),
            ExprKind::Set(elements) => self.make_set(&self.eval_all(frame, elements)?, false),
            ExprKind::Dict(items) => self.eval_dict(frame, items),
            ExprKind::Star(_) => type_error("can use starred expression only as a part of something"),
            ExprKind::Unary(op, operand) => self.eval_unary(frame, *op, operand),
            ExprKind::Binary(op, operands) => {
                let left = self.eval(frame, &operands.0)?;
                let right = self.eval(frame, &operands.1)?;
                self.binary(*op, &left, &right)
            }
            ExprKind::And(parts) => self.eval_until(frame, parts, false),
            ExprKind::Or(parts) => self.eval_until(frame, parts, true),
            ExprKind::Compare(left, rest) => self.eval_compare(frame, left, rest),
            ExprKind::IfElse(parts) => {
                let holds = self.truth(&self.eval(frame, &parts.0)?);
                self.eval(frame, if holds { &parts.1 } else { &parts.2 })
            }
            ExprKind::Call(call) => self.eval_call(frame, call),
            ExprKind::Attribute(object, name) => self.attribute(&self.eval(frame, object)?, name),
            ExprKind::Index(parts) => {
                let object = self.eval(frame, &parts.0)?;
                self.index(&object, &self.eval(frame, &parts.1)?)
            }
            ExprKind::Slice(parts) => self.eval_slice(frame, parts),
            ExprKind::Lambda(code) => self.make_function(frame, code),
            ExprKind::Comprehension(comprehension) => self.comprehend(frame, comprehension),
            ExprKind::Format(pieces) => self.eval_format(frame, pieces),
            ExprKind::Named(name, value) => {
                let value = self.eval(frame, value)?;
                self.store(frame, name, value.clone())?;
                Ok(value)
            }
        }
    }

    /// The value of a name.
    fn load(&self, frame: &Frame, place: &Place) -> Res {
        match place {
            Place::Local { up, slot, name } => {
                let scope = scope_at(frame, *up);
                let value =
                    scope.and_then(|scope| scope.slots.borrow().get(usize::from(*slot)).cloned().flatten());
                value.ok_or_else(|| match up {
                    0 => Stop::raise(
                        UNBOUND_LOCAL_ERROR,
                        format!("local variable '{}' referenced before assignment", name.as_str()),
                    ),
                    _ => Stop::raise(
                        NAME_ERROR,
                        format!(
                            "free variable '{}' referenced before assignment in enclosing scope",
                            name.as_str()
                        ),
                    ),
                })
            }
            Place::Global(name) => self.global(frame, name).ok_or_else(|| {
                let global = if frame.scope.is_some() { "global " } else { "" };
                Stop::raise(NAME_ERROR, format!("{global}name '{}' is not defined", name.as_str()))
            }),
        }
    }

    fn global(&self, frame: &Frame, name: &Name) -> Option<Object> {
        let key = Object::name_key(name);
        let own = frame.unit.globals.borrow().get(&key).map(|(_, value)| value.clone());
        own.or_else(|| self.prelude.borrow().get(&key).map(|(_, value)| value.clone()))
    }

    /// The values of expressions, with `*x` spread.
    pub(crate) fn eval_all(&self, frame: &Frame, exprs: &[Expr]) -> Res<Vec<Object>> {
        let mut values = Vec::with_capacity(exprs.len());
        for expr in exprs {
            match &expr.kind {
                ExprKind::Star(spread) => values.extend(self.collect(&self.eval(frame, spread)?)?),
                _ => values.push(self.eval(frame, expr)?),
            }
        }
        Ok(values)
    }

    fn eval_dict(&self, frame: &Frame, items: &[(Option<Expr>, Expr)]) -> Res {
        let mut entries = Entries::new();
        for (key, value) in items {
            match key {
                Some(key) => {
                    // Python 2 evaluates the value first.
                    let value = self.eval(frame, value)?;
                    let key = self.eval(frame, key)?;
                    put(&mut entries, self.key(&key)?, key, value);
                }
                None => match self.eval(frame, value)? {
                    Object::Dict(dict) => {
                        self.charge_values(4 * dict.borrow().len())?;
                        entries.extend(dict.borrow().iter().map(|(key, entry)| (key.clone(), entry.clone())));
                    }
                    other => return type_error(format!("'{}' object is not a mapping", other.type_name())),
                },
            }
        }
        self.dict(entries).map(Object::Dict)
    }

    fn eval_unary(&self, frame: &Frame, op: UnaryOp, operand: &Expr) -> Res {
        let operand = self.eval(frame, operand)?;
        match op {
            UnaryOp::Not => Ok(Object::Bool(!self.truth(&operand))),
            _ => self.unary(op, &operand),
        }
    }

    /// `and`, `or`: the first value whose truth is `stop_at`, else the last.
    fn eval_until(&self, frame: &Frame, parts: &[Expr], stop_at: bool) -> Res {
        let mut value = Object::None;
        for part in parts {
            value = self.eval(frame, part)?;
            if self.truth(&value) == stop_at {
                break;
            }
        }
        Ok(value)
    }

    fn eval_compare(&self, frame: &Frame, left: &Expr, rest: &[(CompareOp, Expr)]) -> Res {
        let mut left = self.eval(frame, left)?;
        for (op, right) in rest {
            let right = self.eval(frame, right)?;
            if !self.compare_by(*op, &left, &right)? {
                return Ok(Object::Bool(false));
            }
            left = right;
        }
        Ok(Object::Bool(true))
    }

    fn eval_slice(&self, frame: &Frame, parts: &[Option<Expr>; 3]) -> Res {
        let part =
            |part: &Option<Expr>| part.as_ref().map_or(Ok(Object::None), |part| self.eval(frame, part));
        let slice = [part(&parts[0])?, part(&parts[1])?, part(&parts[2])?];
        self.keep(Object::Slice(Rc::new(slice)))
    }

    /// What `def` and `lambda` make.
    pub(crate) fn make_function(&self, frame: &Frame, code: &Rc<crate::ast::Function>) -> Res {
        let mut defaults = Vec::with_capacity(code.parameters.len());
        for parameter in &code.parameters {
            defaults.push(parameter.default.as_ref().map(|default| self.eval(frame, default)).transpose()?);
        }
        self.charge_values(defaults.len())?;
        self.keep_scope(frame.scope.as_ref())?;
        let (code, unit, scope) = (code.clone(), frame.unit.clone(), frame.scope.clone());
        self.keep(Object::Function(Rc::new(Function { code, defaults, unit, scope })))
    }

    fn comprehend(&self, frame: &Frame, code: &Rc<Comprehension>) -> Res {
        let first = match code.clauses.first() {
            Some(clause) => self.iterate(&self.eval(frame, &clause.iterable)?)?,
            None => State::Done,
        };
        let frame = match code.slots {
            None => frame.clone(),
            Some(slots) => {
                self.charge_values(slots + 4)?;
                let slots = RefCell::new(vec![None; slots]);
                let scope = Rc::new(Scope { slots, parent: frame.scope.clone() });
                Frame { scope: Some(scope), ..frame.clone() }
            }
        };
        let mut values = Vec::new();
        match code.what {
            What::Generator => {
                self.keep_scope(frame.scope.as_ref())?;
                self.iter_object(State::Generator(Box::new(Generator::new(code.clone(), frame, first))))
            }
            What::List => {
                self.clauses(&frame, code, 0, first, &mut |value, _| {
                    self.charge_values(1)?;
                    values.push(value);
                    Ok(())
                })?;
                self.list(values)
            }
            What::Set => {
                self.clauses(&frame, code, 0, first, &mut |value, _| {
                    self.charge_values(1)?;
                    values.push(value);
                    Ok(())
                })?;
                self.make_set(&values, false)
            }
            What::Dict => {
                let mut entries: Entries = IndexMap::new();
                self.clauses(&frame, code, 0, first, &mut |key, value| {
                    self.charge_values(4)?;
                    put(&mut entries, self.key(&key)?, key, value);
                    Ok(())
                })?;
                self.dict(entries).map(Object::Dict)
            }
        }
    }

    /// Goes through the clauses of a comprehension from `at` on, and hands over each element (and value).
    fn clauses(
        &self,
        frame: &Frame,
        code: &Comprehension,
        at: usize,
        mut iteration: State,
        take: &mut dyn FnMut(Object, Object) -> Res<()>,
    ) -> Res<()> {
        let clause = &code.clauses[at];
        while let Some(value) = self.advance(&mut iteration)? {
            if !self.takes(frame, &clause.target, value, &clause.conditions)? {
                continue;
            }
            if let Some(next) = code.clauses.get(at + 1) {
                let inner = self.iterate(&self.eval(frame, &next.iterable)?)?;
                self.deeper(|| self.clauses(frame, code, at + 1, inner, take))?;
                continue;
            }
            let element = self.eval(frame, &code.element)?;
            let value = code.value.as_ref().map_or(Ok(Object::None), |value| self.eval(frame, value))?;
            take(element, value)?;
        }
        Ok(())
    }

    fn eval_format(&self, frame: &Frame, pieces: &[Piece]) -> Res {
        let mut text = String::new();
        for piece in pieces {
            let part = match piece {
                Piece::Text(part) => part.clone(),
                Piece::Value { value, conversion, spec } => {
                    let value = self.eval(frame, value)?;
                    let value = match conversion {
                        Some('s') => self.str_object(&value)?,
                        Some(_) => self.repr_object(&value)?,
                        None => value,
                    };
                    let spec = self.eval_format(frame, spec)?;
                    let Object::Str(part) = format::format(self, &value, spec.as_str().unwrap_or_default())?
                    else {
                        continue;
                    };
                    part
                }
            };
            self.charge(part.as_str().len())?;
            text.push_str(part.as_str());
        }
        self.string(text)
    }
}

/// The scope `up` functions outwards.
fn scope_at(frame: &Frame, up: u16) -> Option<&Rc<Scope>> {
    let mut scope = frame.scope.as_ref();
    for _ in 0..up {
        scope = scope.and_then(|scope| scope.parent.as_ref());
    }
    scope
}
