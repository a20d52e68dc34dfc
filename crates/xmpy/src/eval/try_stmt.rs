//! `try`, `except`, `else`, `finally`.

use std::rc::Rc;

use super::Flow;
use crate::ast::{Handler, Try};
use crate::machine::{Frame, Machine};
use crate::object::Object;
use crate::stop::{Exception, Res, Stop, Why};

impl Machine<'_> {
    pub(super) fn exec_try(&self, frame: &Frame, of: &Try) -> Res<Flow> {
        let result = match self.block(frame, &of.body) {
            Ok(Flow::Next) => self.block(frame, &of.otherwise),
            Ok(flow) => Ok(flow),
            Err(stop) => self.handle(frame, &of.handlers, stop),
        };
        if of.finally.is_empty() || matches!(&result, Err(stop) if matches!(stop.why, Why::Limit(_))) {
            // Who used up what there is does not get more for cleaning up.
            return result;
        }
        match self.block(frame, &of.finally)? {
            Flow::Next => result,
            flow => Ok(flow),
        }
    }

    fn handle(&self, frame: &Frame, handlers: &[Handler], stop: Box<Stop>) -> Res<Flow> {
        let Why::Raised(exception) = &stop.why else { return Err(stop) };
        let exception = exception.clone();
        for handler in handlers {
            let takes = match &handler.class {
                None => true,
                Some(class) => self.catches(&self.eval(frame, class)?, &exception)?,
            };
            if !takes {
                continue;
            }
            if let Some(name) = &handler.name {
                let object = self.keep(Object::Exception(exception.clone()))?;
                self.store(frame, name, object)?;
            }
            self.handling.borrow_mut().push(exception);
            let result = self.block(frame, &handler.body);
            self.handling.borrow_mut().pop();
            // `raise` alone goes on with the same exception, from where it first was.
            return result.map_err(|again| match (&again.why, &stop.why) {
                (Why::Raised(again), Why::Raised(first)) if Rc::ptr_eq(again, first) => stop,
                _ => again,
            });
        }
        Err(stop)
    }

    fn catches(&self, class: &Object, exception: &Exception) -> Res<bool> {
        match class {
            Object::Class(class) => Ok(exception.class.is_below(*class)),
            Object::Tuple(classes) => {
                for class in classes.iter() {
                    if self.value_level(|| self.catches(class, exception))? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            // As in Python 2, what is no class catches nothing.
            _ => Ok(false),
        }
    }
}
