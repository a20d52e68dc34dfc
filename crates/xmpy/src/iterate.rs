//! Going through values one by one.

use std::cell::RefCell;
use std::rc::Rc;

use crate::ast::{Comprehension, Target};
use crate::machine::{Frame, Machine};
use crate::object::{Dict, List, Object, Set};
use crate::stop::{RUNTIME_ERROR, Res, Stop, type_error, value_error};
use crate::text::Text;

/// An iterator that a script holds.
#[derive(Debug)]
pub(crate) struct Iter(RefCell<State>);

/// Where an iteration stands.
#[derive(Debug)]
pub(crate) enum State {
    Done,
    /// Being advanced right now.
    Running,
    List(Rc<List>, usize),
    Tuple(Rc<Vec<Object>>, usize),
    /// The text, and the byte at which the next character begins.
    Text(Rc<Text>, usize),
    /// The next, the step, and how many are left.
    Range(i64, i64, u64),
    Dict {
        dict: Rc<Dict>,
        at: usize,
        len: usize,
        view: View,
    },
    Set(Rc<Set>, usize),
    Values(Vec<Object>, usize),
    Enumerate(Rc<Iter>, i64),
    Shared(Rc<Iter>),
    Generator(Box<Generator>),
}

/// What of a dictionary's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Keys,
    Values,
    Items,
}

/// A generator expression: the iterations of its clauses, as far as they have begun.
#[derive(Debug)]
pub(crate) struct Generator {
    code: Rc<Comprehension>,
    frame: Frame,
    iterations: Vec<State>,
}

impl Generator {
    pub(crate) fn new(code: Rc<Comprehension>, frame: Frame, first: State) -> Self {
        Self { code, frame, iterations: vec![first] }
    }
}

impl Iter {
    pub(crate) fn new(state: State) -> Self {
        Self(RefCell::new(state))
    }

    /// Lets go of whatever it holds.
    pub(crate) fn finish(&self) {
        drop(self.0.replace(State::Done));
    }
}

impl Machine<'_> {
    /// Begins an iteration.
    pub(crate) fn iterate(&self, object: &Object) -> Res<State> {
        Ok(match object {
            Object::List(list) => State::List(list.clone(), 0),
            Object::Tuple(tuple) => State::Tuple(tuple.clone(), 0),
            Object::Str(text) => State::Text(text.clone(), 0),
            Object::Range(range) => State::Range(range.start, range.step, range.len),
            Object::Dict(dict) => {
                State::Dict { dict: dict.clone(), at: 0, len: dict.borrow().len(), view: View::Keys }
            }
            Object::Set(set) => State::Set(set.clone(), 0),
            Object::Iter(iter) => State::Shared(iter.clone()),
            Object::File(file) => State::Values(self.lines_left(file)?, 0),
            other => return type_error(format!("'{}' object is not iterable", other.type_name())),
        })
    }

    /// The next value.
    pub(crate) fn advance(&self, state: &mut State) -> Res<Option<Object>> {
        self.step(1)?;
        Ok(match state {
            State::Done => None,
            State::Running => return value_error("generator already executing"),
            State::List(list, at) => {
                *at += 1;
                list.borrow().get(*at - 1).cloned()
            }
            State::Tuple(tuple, at) => {
                *at += 1;
                tuple.get(*at - 1).cloned()
            }
            State::Values(values, at) => {
                *at += 1;
                values.get(*at - 1).cloned()
            }
            State::Text(text, at) => match text.as_str()[*at..].chars().next() {
                None => None,
                Some(c) => {
                    *at += c.len_utf8();
                    Some(self.string(c.to_string())?)
                }
            },
            State::Range(next, step, left) => {
                let value = *next;
                let Some(fewer) = left.checked_sub(1) else { return Ok(None) };
                *left = fewer;
                *next = value.wrapping_add(*step);
                Some(Object::Int(value))
            }
            State::Dict { dict, at, len, view } => {
                if dict.borrow().len() != *len {
                    return Err(Stop::raise(RUNTIME_ERROR, "dictionary changed size during iteration"));
                }
                *at += 1;
                let entry = dict.borrow().get_index(*at - 1).map(|(_, entry)| entry.clone());
                match (entry, view) {
                    (None, _) => None,
                    (Some((key, _)), View::Keys) => Some(key),
                    (Some((_, value)), View::Values) => Some(value),
                    (Some((key, value)), View::Items) => Some(self.tuple(vec![key, value])?),
                }
            }
            State::Set(set, at) => {
                *at += 1;
                set.items.borrow().get_index(*at - 1).map(|(_, item)| item.clone())
            }
            State::Enumerate(inner, count) => match self.next(inner)? {
                None => None,
                Some(value) => {
                    *count += 1;
                    Some(self.tuple(vec![Object::Int(*count - 1), value])?)
                }
            },
            State::Shared(inner) => self.next(inner)?,
            State::Generator(generator) => self.deeper(|| self.generate(generator))?,
        })
    }

    /// The next value of an iterator that a script holds.
    pub(crate) fn next(&self, iter: &Iter) -> Res<Option<Object>> {
        let mut state = iter.0.replace(State::Running);
        let next = self.deeper(|| self.advance(&mut state));
        if !matches!(next, Ok(Some(_))) && !matches!(state, State::Running) {
            state = State::Done;
        }
        iter.0.replace(state);
        next
    }

    /// All values.
    pub(crate) fn collect(&self, object: &Object) -> Res<Vec<Object>> {
        let mut state = self.iterate(object)?;
        let mut values = Vec::new();
        while let Some(value) = self.advance(&mut state)? {
            self.charge_values(1)?;
            values.push(value);
        }
        Ok(values)
    }

    /// Goes on with a generator up to its next value: the innermost iteration that has begun is the last one.
    fn generate(&self, generator: &mut Generator) -> Res<Option<Object>> {
        let Generator { code, frame, iterations } = generator;
        while let Some(innermost) = iterations.last_mut() {
            let Some(value) = self.advance(innermost)? else {
                iterations.pop();
                continue;
            };
            let clause = &code.clauses[iterations.len() - 1];
            if !self.takes(frame, &clause.target, value, &clause.conditions)? {
                continue;
            }
            match code.clauses.get(iterations.len()) {
                Some(next) => {
                    let iterable = self.eval(frame, &next.iterable)?;
                    iterations.push(self.iterate(&iterable)?);
                }
                None => return self.eval(frame, &code.element).map(Some),
            }
        }
        Ok(None)
    }

    /// Assigns the value of a `for` clause and tells whether all its conditions hold.
    pub(crate) fn takes(
        &self,
        frame: &Frame,
        target: &Target,
        value: Object,
        conditions: &[crate::ast::Expr],
    ) -> Res<bool> {
        self.assign(frame, target, value)?;
        for condition in conditions {
            if !self.truth(&self.eval(frame, condition)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
