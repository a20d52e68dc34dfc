//! Statements.

use crate::ast::{Block, Expr, Stmt, StmtKind, Target};
use crate::machine::{Frame, Machine};
use crate::object::Object;
use crate::stop::{ASSERTION_ERROR, Exception, Res, Stop, TYPE_ERROR, type_error};
use std::cell::RefCell;
use std::rc::Rc;

/// How a statement ended.
#[derive(Debug)]
pub(crate) enum Flow {
    Next,
    Break,
    Continue,
    Return(Object),
}

impl Machine<'_> {
    /// Runs statements one after the other.
    pub(crate) fn block(&self, frame: &Frame, block: &Block) -> Res<Flow> {
        for stmt in block {
            let flow = self
                .step(1)
                .and_then(|()| self.deeper(|| self.exec(frame, stmt)))
                .map_err(|stop| stop.at(&frame.unit.source, stmt.span))?;
            if !matches!(flow, Flow::Next) {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn exec(&self, frame: &Frame, stmt: &Stmt) -> Res<Flow> {
        match &stmt.kind {
            StmtKind::Expr(expr) => {
                self.eval(frame, expr)?;
            }
            StmtKind::Assign(targets, value) => {
                let value = self.eval(frame, value)?;
                for target in targets {
                    self.assign(frame, target, value.clone())?;
                }
            }
            StmtKind::AugAssign(target, op, value) => self.augment(frame, target, *op, value)?,
            StmtKind::If(branches, otherwise) => {
                for (test, block) in branches {
                    if self.truth(&self.eval(frame, test)?) {
                        return self.block(frame, block);
                    }
                }
                return self.block(frame, otherwise);
            }
            StmtKind::While(test, body, otherwise) => return self.exec_while(frame, test, body, otherwise),
            StmtKind::For(target, iterable, body, otherwise) => {
                return self.exec_for(frame, target, iterable, body, otherwise);
            }
            StmtKind::Def(place, code) => {
                let function = self.make_function(frame, code)?;
                self.store(frame, place, function)?;
            }
            StmtKind::Return(value) => {
                return Ok(Flow::Return(
                    value.as_ref().map_or(Ok(Object::None), |value| self.eval(frame, value))?,
                ));
            }
            StmtKind::Raise(exception) => return self.exec_raise(frame, exception.as_ref()),
            StmtKind::Try(of) => return self.exec_try(frame, of),
            StmtKind::Assert(test, message) => self.exec_assert(frame, test, message.as_ref())?,
            StmtKind::Delete(targets) => targets.iter().try_for_each(|target| self.delete(frame, target))?,
            StmtKind::Import(dotted, place, whole) => {
                let module = self.import(dotted, *whole)?;
                self.store(frame, place, module)?;
            }
            StmtKind::ImportFrom(dotted, names) => {
                for (name, place) in names {
                    let value = self.import_from(dotted, name)?;
                    self.store(frame, place, value)?;
                }
            }
            StmtKind::ImportStar(dotted) => self.import_star(frame, dotted)?,
            StmtKind::With(items, body) => return self.exec_with(frame, items, body),
            StmtKind::Break => return Ok(Flow::Break),
            StmtKind::Continue => return Ok(Flow::Continue),
            StmtKind::Pass => {}
        }
        Ok(Flow::Next)
    }

    fn exec_while(&self, frame: &Frame, test: &Expr, body: &Block, otherwise: &Block) -> Res<Flow> {
        while self.truth(&self.eval(frame, test)?) {
            match self.block(frame, body)? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => return Ok(Flow::Next),
                flow @ Flow::Return(_) => return Ok(flow),
            }
        }
        self.block(frame, otherwise)
    }

    fn exec_for(
        &self,
        frame: &Frame,
        target: &Target,
        iterable: &Expr,
        body: &Block,
        otherwise: &Block,
    ) -> Res<Flow> {
        let mut state = self
            .iterate(&self.eval(frame, iterable)?)
            .map_err(|stop| stop.at(&frame.unit.source, iterable.span))?;
        while let Some(value) = self.advance(&mut state)? {
            self.assign(frame, target, value)?;
            match self.block(frame, body)? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => return Ok(Flow::Next),
                flow @ Flow::Return(_) => return Ok(flow),
            }
        }
        self.block(frame, otherwise)
    }

    fn exec_assert(&self, frame: &Frame, test: &Expr, message: Option<&Expr>) -> Res<()> {
        if self.truth(&self.eval(frame, test)?) {
            return Ok(());
        }
        let args = message.map(|message| self.eval(frame, message)).transpose()?.into_iter().collect();
        let exception = Exception { class: ASSERTION_ERROR, args: RefCell::new(args), denied: false };
        let exception = Rc::new(exception);
        self.keep(Object::Exception(exception.clone()))?;
        Err(Stop::from_exception(exception))
    }

    fn exec_raise(&self, frame: &Frame, exception: Option<&Expr>) -> Res<Flow> {
        let Some(exception) = exception else {
            let current = self.handling.borrow().last().cloned();
            return match current {
                Some(exception) => Err(Stop::from_exception(exception)),
                None => Err(Stop::raise(
                    TYPE_ERROR,
                    "exceptions must be old-style classes or derived from BaseException, not NoneType",
                )),
            };
        };
        let exception = self.eval(frame, exception)?;
        Err(Stop::from_exception(self.exception_of(&exception)?))
    }

    /// The exception that `raise` of an object raises.
    pub(crate) fn exception_of(&self, object: &Object) -> Res<Rc<Exception>> {
        match object {
            Object::Exception(exception) => Ok(exception.clone()),
            Object::Class(_) => match self.call(object, crate::args::Args::default())? {
                Object::Exception(exception) => Ok(exception),
                _ => type_error("exceptions must be classes or instances"),
            },
            other => type_error(format!(
                "exceptions must be old-style classes or derived from BaseException, not {}",
                other.type_name()
            )),
        }
    }

    fn exec_with(&self, frame: &Frame, items: &[(Expr, Option<Target>)], body: &Block) -> Res<Flow> {
        for (context, target) in items {
            let context = self.eval(frame, context)?;
            if !matches!(context, Object::File(_)) {
                let message = format!("'{}' object is no context manager", context.type_name());
                return Err(Stop::raise(crate::stop::ATTRIBUTE_ERROR, message));
            }
            if let Some(target) = target {
                self.assign(frame, target, context)?;
            }
        }
        self.block(frame, body)
    }
}
