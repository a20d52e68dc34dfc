//! The state of a run: what is left of its allowance, all that it allocated, and the names that every script sees.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::host::Host;
use crate::iterate::{Iter, State};
use crate::limits::{Limit, Limits};
use crate::object::{Dict, Entries, Key, List, Method, MethodFn, Module, Object, Scope, Set, Unit};
use crate::stop::{Exception, Res, Stop};
use crate::text::Text;

/// Bytes that a small object takes, about.
const OBJECT: usize = 64;

/// Levels of values within values that are looked at.
pub(crate) const MAX_VALUE_DEPTH: usize = 200;

/// A run.
pub(crate) struct Machine<'h> {
    pub(crate) host: &'h dyn Host,
    pub(crate) limits: &'h Limits,
    steps: Cell<u64>,
    memory: Cell<usize>,
    depth: Cell<usize>,
    /// Levels of [`Machine::value_level`].
    value_depth: Cell<usize>,
    pub(crate) includes: Cell<usize>,
    heap: Heap,
    /// Python's own functions and what xm puts before each script.
    pub(crate) prelude: RefCell<Entries>,
    pub(crate) modules: RefCell<HashMap<String, Rc<Module>>>,
    /// The calls that are under way.
    pub(crate) frames: RefCell<Vec<Frame>>,
    /// Exceptions that are being handled.
    pub(crate) handling: RefCell<Vec<Rc<Exception>>>,
    /// Regular expressions that were compiled, by text and flags.
    pub(crate) patterns: RefCell<Patterns>,
    /// What `xm_vars.var` declared: name and check.
    pub(crate) declared: RefCell<Vec<(Object, Object)>>,
}

type Patterns = HashMap<(Rc<Text>, i64), Rc<crate::modules::re::Pattern>>;

/// Where names are looked up.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) unit: Rc<Unit>,
    pub(crate) scope: Option<Rc<Scope>>,
    /// The function that runs, for `locals()`.
    pub(crate) code: Option<Rc<crate::ast::Function>>,
}

impl<'h> Machine<'h> {
    pub(crate) fn new(host: &'h dyn Host, limits: &'h Limits) -> Self {
        Self {
            host,
            limits,
            steps: Cell::new(0),
            memory: Cell::new(0),
            depth: Cell::new(0),
            value_depth: Cell::new(0),
            includes: Cell::new(0),
            heap: Heap::default(),
            prelude: RefCell::default(),
            modules: RefCell::default(),
            frames: RefCell::default(),
            handling: RefCell::default(),
            patterns: RefCell::default(),
            declared: RefCell::default(),
        }
    }

    /// Takes steps from the allowance.
    pub(crate) fn step(&self, steps: usize) -> Res<()> {
        let taken = self.steps.get().saturating_add(steps as u64);
        self.steps.set(taken);
        if taken > self.limits.steps { Err(Stop::limit(Limit::Steps(self.limits.steps))) } else { Ok(()) }
    }

    /// Takes the steps of looking at `bytes` bytes of text.
    pub(crate) fn scan(&self, bytes: usize) -> Res<()> {
        self.step(bytes / 32)
    }

    /// Takes memory from the allowance, and the time to fill it. To be called before it is allocated.
    pub(crate) fn charge(&self, bytes: usize) -> Res<()> {
        let used = self.memory.get().saturating_add(bytes);
        if used > self.limits.memory {
            return Err(Stop::limit(Limit::Memory(self.limits.memory)));
        }
        self.memory.set(used);
        self.scan(bytes)
    }

    /// Memory for `count` values.
    pub(crate) fn charge_values(&self, count: usize) -> Res<()> {
        self.charge(count.saturating_mul(size_of::<Object>()))
    }

    /// Does `inner` one level deeper.
    pub(crate) fn deeper<T>(&self, inner: impl FnOnce() -> Res<T>) -> Res<T> {
        let depth = self.depth.get();
        if depth >= self.limits.depth {
            return Err(Stop::limit(Limit::Depth(self.limits.depth)));
        }
        self.depth.set(depth + 1);
        let result = inner();
        self.depth.set(depth);
        result
    }

    /// Looks into a value that is in another one.
    pub(crate) fn value_level<T>(&self, inner: impl FnOnce() -> Res<T>) -> Res<T> {
        self.step(1)?;
        let depth = self.value_depth.get();
        if depth >= MAX_VALUE_DEPTH {
            return Err(Stop::limit(Limit::Values(MAX_VALUE_DEPTH)));
        }
        self.value_depth.set(depth + 1);
        let result = inner();
        self.value_depth.set(depth);
        result
    }

    /// Enters a call; the frame is left again with `inner`'s end.
    pub(crate) fn in_frame<T>(&self, frame: &Frame, inner: impl FnOnce() -> Res<T>) -> Res<T> {
        if self.frames.borrow().len() > self.limits.calls {
            return Err(Stop::limit(Limit::Calls(self.limits.calls)));
        }
        self.frames.borrow_mut().push(frame.clone());
        let result = inner();
        self.frames.borrow_mut().pop();
        result
    }

    /// A string; its memory is taken.
    pub(crate) fn string(&self, text: impl Into<Box<str>>) -> Res {
        let text = text.into();
        self.charge(text.len() + OBJECT)?;
        Ok(Object::text(text))
    }

    /// A string whose memory was taken before.
    pub(crate) fn charged_string(&self, text: impl Into<Box<str>>) -> Object {
        Object::Str(Rc::new(Text::new(text)))
    }

    pub(crate) fn list(&self, values: Vec<Object>) -> Res {
        self.charge_values(values.len())?;
        let list: Rc<List> = Rc::new(RefCell::new(values));
        self.keep(Object::List(list))
    }

    pub(crate) fn tuple(&self, values: Vec<Object>) -> Res {
        self.charge_values(values.len())?;
        self.keep(Object::Tuple(Rc::new(values)))
    }

    pub(crate) fn dict(&self, entries: Entries) -> Res<Rc<Dict>> {
        self.charge(entries.len() * size_of::<(Key, Object, Object)>() * 2)?;
        let dict = Rc::new(RefCell::new(entries));
        self.keep(Object::Dict(dict.clone()))?;
        Ok(dict)
    }

    pub(crate) fn set(&self, items: indexmap::IndexMap<Key, Object>, frozen: bool) -> Res {
        self.charge(items.len() * size_of::<(Key, Object)>() * 2)?;
        self.keep(Object::Set(Rc::new(Set { items: RefCell::new(items), frozen })))
    }

    pub(crate) fn iter_object(&self, state: State) -> Res {
        self.charge(OBJECT)?;
        self.keep(Object::Iter(Rc::new(Iter::new(state))))
    }

    pub(crate) fn method(&self, receiver: Object, name: &'static str, call: MethodFn) -> Res {
        self.keep(Object::Method(Rc::new(Method { receiver, name, call })))
    }

    /// Puts an object that holds others under the heap's care.
    pub(crate) fn keep(&self, object: Object) -> Res {
        self.charge(OBJECT)?;
        self.heap.objects.borrow_mut().push(object.clone());
        Ok(object)
    }

    /// A scope that outlives its call, because a function that was defined in it sees it.
    pub(crate) fn keep_scope(&self, scope: Option<&Rc<Scope>>) -> Res<()> {
        let Some(scope) = scope else { return Ok(()) };
        self.charge(OBJECT)?;
        self.heap.scopes.borrow_mut().push(scope.clone());
        Ok(())
    }

    /// The names that the running code sees.
    pub(crate) fn frame(&self) -> Option<Frame> {
        self.frames.borrow().last().cloned()
    }
}

impl Frame {
    pub(crate) fn of(unit: Rc<Unit>) -> Self {
        Self { unit, scope: None, code: None }
    }

    /// The variables of the function that runs, as far as they have values.
    pub(crate) fn locals(&self) -> impl Iterator<Item = (crate::ast::Name, Object)> + use<> {
        let names = self.code.as_ref().map(|code| code.slots.clone()).unwrap_or_default();
        let values = self.scope.as_ref().map(|scope| scope.slots.borrow().clone()).unwrap_or_default();
        names.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?)))
    }
}

/// All objects that hold others. They live until the end of the run, whoever else holds them: so cycles are freed, and
/// nothing that is dropped before drops a chain of others, of whatever length, with it.
#[derive(Default)]
struct Heap {
    objects: RefCell<Vec<Object>>,
    scopes: RefCell<Vec<Rc<Scope>>>,
}

impl Drop for Heap {
    fn drop(&mut self) {
        // First what can have been changed is emptied, while the heap still holds all that was in it.
        for scope in self.scopes.get_mut() {
            let slots = std::mem::take(&mut *scope.slots.borrow_mut());
            drop(slots);
        }
        for object in self.objects.get_mut() {
            match object {
                Object::List(list) => drop(list.take()),
                Object::Dict(dict) => drop(dict.take()),
                Object::Set(set) => drop(set.items.take()),
                Object::Iter(iter) => iter.finish(),
                Object::Exception(exception) => drop(exception.args.take()),
                _ => {}
            }
        }
        // What is left holds only what is older: from the newest on, each is the last to hold itself.
        while self.objects.get_mut().pop().is_some() {}
    }
}
