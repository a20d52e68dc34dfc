//! Why evaluation of something stops before its end: an exception, or a limit.

use std::cell::RefCell;
use std::rc::Rc;

use crate::limits::Limit;
use crate::object::Object;
use crate::source::{Source, Span};

/// The result of everything that evaluates.
pub(crate) type Res<T = Object> = Result<T, Box<Stop>>;

/// Why, and where.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) why: Why,
    /// The innermost place; none until somebody knows it.
    pub(crate) place: Option<(Rc<Source>, Span)>,
}

#[derive(Debug)]
pub(crate) enum Why {
    Raised(Rc<Exception>),
    /// Not to be caught by the script.
    Limit(Limit),
    /// An included text's own syntax error, already placed.
    Syntax(String),
}

/// An exception.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(crate) class: Class,
    pub(crate) args: RefCell<Vec<Object>>,
    /// Whether it is the host's refusal, whatever its class.
    pub(crate) denied: bool,
}

impl Stop {
    /// An exception with a message.
    pub(crate) fn raise(class: Class, message: impl Into<String>) -> Box<Self> {
        Self::from_exception(Rc::new(Exception {
            class,
            args: RefCell::new(vec![Object::text(message.into())]),
            denied: false,
        }))
    }

    pub(crate) fn from_exception(exception: Rc<Exception>) -> Box<Self> {
        Box::new(Self { why: Why::Raised(exception), place: None })
    }

    pub(crate) fn limit(limit: Limit) -> Box<Self> {
        Box::new(Self { why: Why::Limit(limit), place: None })
    }

    /// Whether this is an exception of `class` or one below it.
    pub(crate) fn is(&self, class: Class) -> bool {
        matches!(&self.why, Why::Raised(exception) if exception.class.is_below(class))
    }
}

/// A class of exceptions. Scripts have no way to make more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class(&'static ClassInfo);

#[derive(Debug)]
struct ClassInfo {
    name: &'static str,
    parent: Option<Class>,
}

impl Class {
    pub(crate) fn name(self) -> &'static str {
        self.0.name
    }

    /// Whether it is `other` or inherits from it.
    pub(crate) fn is_below(self, other: Self) -> bool {
        self == other || self.0.parent.is_some_and(|parent| parent.is_below(other))
    }
}

impl PartialEq for Class {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

macro_rules! classes {
    ($($constant:ident $name:literal $(< $parent:ident)?;)*) => {
        $(pub(crate) const $constant: Class = {
            static INFO: ClassInfo = ClassInfo { name: $name, parent: classes!(@ $($parent)?) };
            Class(&INFO)
        };)*
        /// All of them, as a script finds them by name.
        pub(crate) const CLASSES: &[Class] = &[$($constant),*];
    };
    (@) => { None };
    (@ $parent:ident) => { Some($parent) };
}

// Python 2.7's tree.
classes! {
    BASE_EXCEPTION "BaseException";
    SYSTEM_EXIT "SystemExit" < BASE_EXCEPTION;
    KEYBOARD_INTERRUPT "KeyboardInterrupt" < BASE_EXCEPTION;
    EXCEPTION "Exception" < BASE_EXCEPTION;
    STOP_ITERATION "StopIteration" < EXCEPTION;
    STANDARD_ERROR "StandardError" < EXCEPTION;
    ARITHMETIC_ERROR "ArithmeticError" < STANDARD_ERROR;
    FLOATING_POINT_ERROR "FloatingPointError" < ARITHMETIC_ERROR;
    OVERFLOW_ERROR "OverflowError" < ARITHMETIC_ERROR;
    ZERO_DIVISION_ERROR "ZeroDivisionError" < ARITHMETIC_ERROR;
    ASSERTION_ERROR "AssertionError" < STANDARD_ERROR;
    ATTRIBUTE_ERROR "AttributeError" < STANDARD_ERROR;
    ENVIRONMENT_ERROR "EnvironmentError" < STANDARD_ERROR;
    IO_ERROR "IOError" < ENVIRONMENT_ERROR;
    OS_ERROR "OSError" < ENVIRONMENT_ERROR;
    EOF_ERROR "EOFError" < STANDARD_ERROR;
    IMPORT_ERROR "ImportError" < STANDARD_ERROR;
    LOOKUP_ERROR "LookupError" < STANDARD_ERROR;
    INDEX_ERROR "IndexError" < LOOKUP_ERROR;
    KEY_ERROR "KeyError" < LOOKUP_ERROR;
    MEMORY_ERROR "MemoryError" < STANDARD_ERROR;
    NAME_ERROR "NameError" < STANDARD_ERROR;
    UNBOUND_LOCAL_ERROR "UnboundLocalError" < NAME_ERROR;
    RUNTIME_ERROR "RuntimeError" < STANDARD_ERROR;
    NOT_IMPLEMENTED_ERROR "NotImplementedError" < RUNTIME_ERROR;
    SYNTAX_ERROR "SyntaxError" < STANDARD_ERROR;
    INDENTATION_ERROR "IndentationError" < SYNTAX_ERROR;
    SYSTEM_ERROR "SystemError" < STANDARD_ERROR;
    TYPE_ERROR "TypeError" < STANDARD_ERROR;
    VALUE_ERROR "ValueError" < STANDARD_ERROR;
    UNICODE_ERROR "UnicodeError" < VALUE_ERROR;
    UNICODE_DECODE_ERROR "UnicodeDecodeError" < UNICODE_ERROR;
    UNICODE_ENCODE_ERROR "UnicodeEncodeError" < UNICODE_ERROR;
    WARNING "Warning" < EXCEPTION;
    USER_WARNING "UserWarning" < WARNING;
    DEPRECATION_WARNING "DeprecationWarning" < WARNING;
    RE_ERROR "error" < EXCEPTION;
}

/// Short forms for those that are raised all over.
pub(crate) fn type_error<T>(message: impl Into<String>) -> Res<T> {
    Err(Stop::raise(TYPE_ERROR, message))
}

pub(crate) fn value_error<T>(message: impl Into<String>) -> Res<T> {
    Err(Stop::raise(VALUE_ERROR, message))
}

pub(crate) fn index_error<T>(message: impl Into<String>) -> Res<T> {
    Err(Stop::raise(INDEX_ERROR, message))
}

pub(crate) fn overflow_error<T>(message: impl Into<String>) -> Res<T> {
    Err(Stop::raise(OVERFLOW_ERROR, message))
}

pub(crate) fn attribute_error<T>(message: impl Into<String>) -> Res<T> {
    Err(Stop::raise(ATTRIBUTE_ERROR, message))
}
