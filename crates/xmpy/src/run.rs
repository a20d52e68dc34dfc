//! Running a script: from a text and variables to a namespace or a fault.

use std::rc::Rc;

use indexmap::IndexMap;

use crate::builtins;
use crate::fault::{Fault, Kind};
use crate::host::Host;
use crate::limits::Limits;
use crate::machine::{Frame, MAX_VALUE_DEPTH, Machine};
use crate::modules;
use crate::object::{Entries, Object, Unit};
use crate::parse::parse;
use crate::source::{Script, Source, Span};
use crate::stop::{Exception, Res, SYSTEM_EXIT, Stop, Why};
use crate::value::{Namespace, Value};

/// Bytes of stack for parsing, and for each level of evaluation, without optimisation. A caller's stack may be small; this
/// is address space, of which only what is used becomes memory.
const STACK: usize = 64 << 20;
const STACK_PER_LEVEL: usize = 32 << 10;

/// Runs a script.
///
/// `variables` are names that it sees from the start, and that are in the result if it leaves them there. Beside these
/// and Python's own it sees `os`, `sys`, `xm_vars`, `xm_file` (the script's name), `xm_help` and the helpers of
/// `xen.util.ip`; these are not in the result, unless it assigns to such a name.
///
/// # Errors
/// The text is not understood, an exception was not caught, or a limit was reached; with the place.
pub fn run(
    script: &Script<'_>,
    variables: &[(String, Value)],
    host: &dyn Host,
    limits: &Limits,
) -> Result<Namespace, Fault> {
    let stack = STACK + limits.depth * STACK_PER_LEVEL;
    stacker::grow(stack, || run_here(script, variables, host, limits))
}

fn run_here(
    script: &Script<'_>,
    variables: &[(String, Value)],
    host: &dyn Host,
    limits: &Limits,
) -> Result<Namespace, Fault> {
    let source = Source::decode(script, limits)?;
    let module = parse(&source)?;
    let machine = Machine::new(host, limits);
    let result = machine.run_module(&source, &module, variables);
    result.map_err(|stop| machine.fault(&source, *stop))
}

impl Machine<'_> {
    fn run_module(
        &self,
        source: &Rc<Source>,
        module: &crate::ast::Module,
        variables: &[(String, Value)],
    ) -> Res<Namespace> {
        self.install_builtins();
        modules::install(self, &source.name)?;
        let mut entries: Entries = IndexMap::new();
        for (name, value) in variables {
            let value = self.object_of(value)?;
            builtins::add(&mut entries, name, value);
        }
        let globals = self.dict(entries)?;
        let frame = Frame::of(Rc::new(Unit { source: source.clone(), globals: globals.clone() }));
        self.in_frame(&frame, || self.block(&frame, &module.body))?;
        let mut names = Vec::new();
        for (name, value) in globals.borrow().values() {
            if let Object::Str(name) = name {
                names.push((name.as_str().to_owned(), self.value_of(value, 0)?));
            }
        }
        Ok(Namespace::new(names))
    }

    fn object_of(&self, value: &Value) -> Res {
        self.value_level(|| {
            let all =
                |values: &[Value]| values.iter().map(|value| self.object_of(value)).collect::<Res<Vec<_>>>();
            match value {
                Value::None | Value::Other(_) => Ok(Object::None),
                Value::Bool(value) => Ok(Object::Bool(*value)),
                Value::Int(value) => Ok(Object::Int(*value)),
                Value::Long(value) => self.long(value.clone()),
                Value::Float(value) => Ok(Object::Float(*value)),
                Value::Str(text) => self.string(text.as_str()),
                Value::List(values) => self.list(all(values)?),
                Value::Tuple(values) => self.tuple(all(values)?),
                Value::Set(values) => self.make_set(&all(values)?, false),
                Value::Dict(items) => {
                    let mut entries = Entries::new();
                    for (key, value) in items {
                        let key = self.object_of(key)?;
                        entries.insert(self.key(&key)?, (key, self.object_of(value)?));
                    }
                    self.dict(entries).map(Object::Dict)
                }
            }
        })
    }

    /// An object as plain data; what is nested too deep (it may contain itself) is named by its type.
    fn value_of(&self, object: &Object, depth: usize) -> Res<Value> {
        self.charge(size_of::<Value>())?;
        if depth > MAX_VALUE_DEPTH {
            return Ok(Value::Other(object.type_name()));
        }
        let all = |values: &[Object]| {
            values.iter().map(|value| self.value_of(value, depth + 1)).collect::<Res<Vec<Value>>>()
        };
        Ok(match object {
            Object::None => Value::None,
            Object::Bool(value) => Value::Bool(*value),
            Object::Int(value) => Value::Int(*value),
            Object::Long(value) => Value::Long((**value).clone()),
            Object::Float(value) => Value::Float(*value),
            Object::Str(text) => {
                self.charge(text.as_str().len())?;
                Value::Str(text.as_str().to_owned())
            }
            Object::List(list) => Value::List(all(&list.borrow())?),
            Object::Tuple(tuple) => Value::Tuple(all(tuple)?),
            Object::Set(set) => Value::Set(all(&set.items.borrow().values().cloned().collect::<Vec<_>>())?),
            Object::Dict(dict) => {
                let mut items = Vec::new();
                for (key, value) in dict.borrow().values() {
                    items.push((self.value_of(key, depth + 1)?, self.value_of(value, depth + 1)?));
                }
                Value::Dict(items)
            }
            other => Value::Other(other.type_name()),
        })
    }

    fn fault(&self, script: &Rc<Source>, stop: Stop) -> Fault {
        let (source, span) = stop.place.unwrap_or_else(|| (script.clone(), Span::default()));
        let (kind, message) = match stop.why {
            Why::Limit(limit) => (Kind::Limit(limit), limit.to_string()),
            Why::Syntax(message) => (Kind::Syntax, message),
            Why::Raised(exception) => self.uncaught(&exception),
        };
        source.fault(span, kind, message)
    }

    fn uncaught(&self, exception: &Exception) -> (Kind, String) {
        // Who has used up all memory can still be told why: a message is cut, not refused.
        let message = match self.exception_str(exception) {
            Ok(message) => message,
            Err(_) => "its text is too long to be shown".to_owned(),
        };
        if exception.denied {
            return (Kind::Denied, message);
        }
        if exception.class != SYSTEM_EXIT {
            return (Kind::Raised(exception.class.name()), message);
        }
        // As Python: nothing is success, a number is the status, anything else is said and is failure.
        match exception.args.borrow().first() {
            None | Some(Object::None) => (Kind::Exit(0), String::new()),
            Some(Object::Int(status)) => (Kind::Exit(*status as i32 & 0xff), String::new()),
            Some(Object::Bool(status)) => (Kind::Exit(i32::from(*status)), String::new()),
            Some(_) => (Kind::Exit(1), message),
        }
    }
}
