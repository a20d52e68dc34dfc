//! Other texts: `import`, `execfile`, `exec`, `eval`.

use std::rc::Rc;

use indexmap::IndexMap;

use crate::ast::{self, Name, StmtKind};
use crate::fault::{Fault, Kind};
use crate::host::{PathKind, Refusal};
use crate::limits::Limit;
use crate::machine::{Frame, Machine};
use crate::modules;
use crate::object::{Dict, Module, Object, Unit};
use crate::parse::parse;
use crate::source::{Script, Source, Span};
use crate::stop::{Exception, IMPORT_ERROR, IO_ERROR, Res, Stop, Why};

impl Machine<'_> {
    /// What `import dotted` binds: the first module of the path, or with `as` the last (`whole`).
    pub(crate) fn import(&self, dotted: &str, whole: bool) -> Res {
        let module = self.load_module(dotted)?;
        let first = dotted.split('.').next().unwrap_or_default();
        let module = if whole || first == dotted { module } else { self.load_module(first)? };
        Ok(Object::Module(module))
    }

    /// What `from dotted import name` binds.
    pub(crate) fn import_from(&self, dotted: &str, name: &Name) -> Res {
        let module = self.load_module(dotted)?;
        let found = module.names.borrow().get(&Object::name_key(name)).map(|(_, value)| value.clone());
        if let Some(found) = found {
            return Ok(found);
        }
        self.load_module(&format!("{dotted}.{}", name.as_str()))
            .map(Object::Module)
            .map_err(|_| Stop::raise(IMPORT_ERROR, format!("cannot import name {}", name.as_str())))
    }

    pub(crate) fn import_star(&self, frame: &Frame, dotted: &str) -> Res<()> {
        let module = self.load_module(dotted)?;
        let names: Vec<(Object, Object)> = module.names.borrow().values().cloned().collect();
        for (name, value) in names {
            if let Object::Str(name) = name
                && !name.as_str().starts_with('_')
            {
                self.store_global(frame, &name, value)?;
            }
        }
        Ok(())
    }

    fn load_module(&self, dotted: &str) -> Res<Rc<Module>> {
        if let Some(known) = self.modules.borrow().get(dotted) {
            return Ok(known.clone());
        }
        let module = match modules::load(self, dotted)? {
            Some(module) => module,
            None => self.find_module(dotted)?,
        };
        self.modules.borrow_mut().insert(dotted.to_owned(), module.clone());
        Ok(module)
    }

    /// Looks for a file along `sys.path`, as far as the host shows any.
    fn find_module(&self, dotted: &str) -> Res<Rc<Module>> {
        let none = || Stop::raise(IMPORT_ERROR, format!("No module named {dotted}"));
        let path = match modules::sys_path(self) {
            Some(path) => path,
            None => return Err(none()),
        };
        for directory in path {
            let Object::Str(directory) = directory else { continue };
            let file = format!("{}/{}.py", directory.as_str(), dotted.replace('.', "/"));
            if self.host.path_kind(&file) == Some(PathKind::File) {
                let text = self.read(&file)?;
                let names = self.dict(IndexMap::new())?;
                self.run_text(&file, &text, names.clone())?;
                return Ok(Rc::new(Module { name: dotted.to_owned(), names }));
            }
        }
        Err(none())
    }

    /// Reads a file by the host's leave.
    pub(crate) fn read(&self, path: &str) -> Res<Vec<u8>> {
        let read = self.host.read_file(path, self.limits.source);
        let bytes = read.map_err(|refusal| io_error(&refusal, &format!("cannot read '{path}'")))?;
        self.charge(bytes.len())?;
        Ok(bytes)
    }

    /// Runs a text with these globals.
    pub(crate) fn run_text(&self, name: &str, text: &[u8], globals: Rc<Dict>) -> Res<()> {
        self.included(name, text, globals, |frame, module| self.block(frame, &module.body).map(|_| ()))
    }

    /// The value of a text that is one expression.
    pub(crate) fn eval_text(&self, text: &str, globals: Rc<Dict>) -> Res {
        let mut value = Object::None;
        self.included("<string>", text.trim().as_bytes(), globals, |frame, module| {
            let [stmt] = module.body.as_slice() else {
                return Err(Stop::raise(
                    crate::stop::SYNTAX_ERROR,
                    "invalid syntax: expected one expression",
                ));
            };
            let StmtKind::Expr(expr) = &stmt.kind else {
                return Err(Stop::raise(crate::stop::SYNTAX_ERROR, "invalid syntax: expected an expression"));
            };
            value = self.eval(frame, expr)?;
            Ok(())
        })?;
        Ok(value)
    }

    fn included(
        &self,
        name: &str,
        text: &[u8],
        globals: Rc<Dict>,
        run: impl FnOnce(&Frame, &ast::Module) -> Res<()>,
    ) -> Res<()> {
        let includes = self.includes.get();
        if includes >= self.limits.includes {
            return Err(Stop::limit(Limit::Includes(self.limits.includes)));
        }
        // What the parser makes of a text is many times its length.
        self.charge(32 * text.len())?;
        self.step(text.len())?;
        let source =
            Source::decode(&Script { name, text }, self.limits).map_err(|fault| broken(name, fault))?;
        let module = parse(&source).map_err(|fault| broken(name, fault))?;
        let frame = Frame::of(Rc::new(Unit { source, globals }));
        self.includes.set(includes + 1);
        let result = self.in_frame(&frame, || run(&frame, &module));
        self.includes.set(includes);
        result
    }
}

/// A fault in an included text, as an exception at its place.
fn broken(name: &str, fault: Fault) -> Box<Stop> {
    // The fault holds all that is shown of the text: a source of that line alone stands in for the whole.
    let text = "\n".repeat(fault.line.saturating_sub(1)) + &fault.text;
    let start = (text.len() - fault.text.len())
        + fault.text.char_indices().nth(fault.column - 1).map_or(fault.text.len(), |(at, _)| at);
    let span = Span { start: start as u32, end: (start + fault.width) as u32 };
    let why = match fault.kind {
        Kind::Limit(limit) => Why::Limit(limit),
        _ => Why::Syntax(fault.message),
    };
    Box::new(Stop { why, place: Some((Rc::new(Source { name: name.to_owned(), text }), span)) })
}

/// A host's refusal, as a script sees it.
pub(crate) fn io_error(refusal: &Refusal, what: &str) -> Box<Stop> {
    let exception = Exception {
        class: IO_ERROR,
        args: std::cell::RefCell::new(vec![Object::text(format!("{what}: {refusal}"))]),
        denied: matches!(refusal, Refusal::Denied(_)),
    };
    Stop::from_exception(Rc::new(exception))
}
