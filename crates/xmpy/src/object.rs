//! Values while a script runs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use indexmap::IndexMap;
use num_bigint::BigInt;

use crate::args::Args;
use crate::ast::{self, Name};
use crate::iterate::Iter;
use crate::machine::Machine;
use crate::source::Source;
use crate::stop::{Class, Exception, Res};
use crate::text::Text;

/// A value. Those that hold others are registered with the machine's heap, which alone frees them.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    None,
    Bool(bool),
    Int(i64),
    /// As in Python 2 a long stays one, however small it gets.
    Long(Rc<BigInt>),
    Float(f64),
    Str(Rc<Text>),
    List(Rc<List>),
    Tuple(Rc<Vec<Object>>),
    Dict(Rc<Dict>),
    Set(Rc<Set>),
    Range(Rc<Range>),
    Slice(Rc<[Object; 3]>),
    Function(Rc<Function>),
    Builtin(&'static Builtin),
    Method(Rc<Method>),
    Type(Type),
    Class(Class),
    Exception(Rc<Exception>),
    Module(Rc<Module>),
    Iter(Rc<Iter>),
    Pattern(Rc<crate::modules::re::Pattern>),
    Match(Rc<crate::modules::re::Match>),
    File(Rc<File>),
}

pub(crate) type List = RefCell<Vec<Object>>;
pub(crate) type Entries = IndexMap<Key, (Object, Object)>;
pub(crate) type Dict = RefCell<Entries>;

/// A set or a frozenset.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) items: RefCell<IndexMap<Key, Object>>,
    pub(crate) frozen: bool,
}

/// An `xrange`.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) start: i64,
    pub(crate) step: i64,
    pub(crate) len: u64,
}

/// What dictionaries and sets look for: equal objects have equal keys (`1`, `1.0` and `True`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    None,
    Int(i64),
    Long(Rc<BigInt>),
    /// The bits of a float that equals no integer.
    Float(u64),
    Str(Rc<Text>),
    Tuple(Rc<[Key]>),
    /// Of a frozenset: the keys in an order that does not depend on that of insertion is not to be had, so only their
    /// number tells here, and equality is left to whoever needs it.
    Identity(usize),
}

/// A function of the script.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) code: Rc<ast::Function>,
    /// One for each of the code's parameters.
    pub(crate) defaults: Vec<Option<Object>>,
    pub(crate) unit: Rc<Unit>,
    pub(crate) scope: Option<Rc<Scope>>,
}

/// The values of a function's variables.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) slots: RefCell<Vec<Option<Object>>>,
    pub(crate) parent: Option<Rc<Scope>>,
}

/// A text that runs, and the names that it sees.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) source: Rc<Source>,
    pub(crate) globals: Rc<Dict>,
}

/// A function of Python's own.
#[derive(Debug)]
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) call: fn(&Machine<'_>, Args) -> Res,
}

/// A method of Python's own types, bound to an object.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) receiver: Object,
    pub(crate) name: &'static str,
    pub(crate) call: MethodFn,
}

pub(crate) type MethodFn = fn(&Machine<'_>, &Object, Args) -> Res;

/// A module: names with a dot before them.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) names: Rc<Dict>,
}

/// What was read by `open` or `os.popen`, or one of the standard streams.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) text: Rc<Text>,
    /// Bytes that were read.
    pub(crate) at: Cell<usize>,
    pub(crate) stream: Option<Stream>,
}

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Types that have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Object,
    Nothing,
    Bool,
    Int,
    Long,
    Float,
    BaseString,
    Str,
    Unicode,
    List,
    Tuple,
    Dict,
    Set,
    FrozenSet,
    Range,
    Slice,
    Function,
    Builtin,
    Class,
    Module,
    Iterator,
    Pattern,
    Match,
    File,
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Nothing => "NoneType",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::BaseString => "basestring",
            Self::Str => "str",
            Self::Unicode => "unicode",
            Self::List => "list",
            Self::Tuple => "tuple",
            Self::Dict => "dict",
            Self::Set => "set",
            Self::FrozenSet => "frozenset",
            Self::Range => "xrange",
            Self::Slice => "slice",
            Self::Function => "function",
            Self::Builtin => "builtin_function_or_method",
            Self::Class => "type",
            Self::Module => "module",
            Self::Iterator => "generator",
            Self::Pattern => "SRE_Pattern",
            Self::Match => "SRE_Match",
            Self::File => "file",
        }
    }

    /// Whether an object of type `of` is an instance of this one.
    pub(crate) fn holds(self, of: Self) -> bool {
        self == of
            || self == Self::Object
            || (self == Self::Int && of == Self::Bool)
            || (self == Self::BaseString && of == Self::Str)
    }
}

impl Object {
    /// A short string that nobody need count (messages, names); what a script can make long goes through
    /// [`Machine::string`].
    pub(crate) fn text(text: impl Into<Box<str>>) -> Self {
        Self::Str(Rc::new(Text::new(text)))
    }

    /// The type, if it is not an exception's class.
    pub(crate) fn type_of(&self) -> Type {
        match self {
            Self::None => Type::Nothing,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Long(_) => Type::Long,
            Self::Float(_) => Type::Float,
            Self::Str(_) => Type::Str,
            Self::List(_) => Type::List,
            Self::Tuple(_) => Type::Tuple,
            Self::Dict(_) => Type::Dict,
            Self::Set(set) if set.frozen => Type::FrozenSet,
            Self::Set(_) => Type::Set,
            Self::Range(_) => Type::Range,
            Self::Slice(_) => Type::Slice,
            Self::Function(_) => Type::Function,
            Self::Builtin(_) | Self::Method(_) => Type::Builtin,
            Self::Type(_) | Self::Class(_) => Type::Class,
            Self::Exception(_) => Type::Object,
            Self::Module(_) => Type::Module,
            Self::Iter(_) => Type::Iterator,
            Self::Pattern(_) => Type::Pattern,
            Self::Match(_) => Type::Match,
            Self::File(_) => Type::File,
        }
    }

    /// The type's name, as messages have it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Exception(exception) => exception.class.name(),
            _ => self.type_of().name(),
        }
    }

    /// Whether both are one and the same. Immutable values are when they are equal: what CPython shares among them is
    /// its own affair.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Str(a), Self::Str(b)) => Rc::ptr_eq(a, b) || a == b,
            (Self::Builtin(a), Self::Builtin(b)) => std::ptr::eq(*a, *b),
            (Self::Type(a), Self::Type(b)) => a == b,
            (Self::Class(a), Self::Class(b)) => a == b,
            (Self::Tuple(a), Self::Tuple(b)) => Rc::ptr_eq(a, b) || (a.is_empty() && b.is_empty()),
            _ => self.identity().is_some_and(|at| other.identity() == Some(at)),
        }
    }

    /// Where the object is, for those that are not told by their value.
    pub(crate) fn identity(&self) -> Option<usize> {
        fn at<T: ?Sized>(rc: &Rc<T>) -> Option<usize> {
            Some(Rc::as_ptr(rc).cast::<()>() as usize)
        }
        match self {
            Self::None | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Type(_) => None,
            Self::Class(class) => Some(class.name().as_ptr() as usize),
            Self::Builtin(builtin) => Some(std::ptr::from_ref(*builtin) as usize),
            Self::Long(rc) => at(rc),
            Self::Str(rc) => at(rc),
            Self::List(rc) => at(rc),
            Self::Tuple(rc) => at(rc),
            Self::Dict(rc) => at(rc),
            Self::Set(rc) => at(rc),
            Self::Range(rc) => at(rc),
            Self::Slice(rc) => at(rc),
            Self::Function(rc) => at(rc),
            Self::Method(rc) => at(rc),
            Self::Exception(rc) => at(rc),
            Self::Module(rc) => at(rc),
            Self::Iter(rc) => at(rc),
            Self::Pattern(rc) => at(rc),
            Self::Match(rc) => at(rc),
            Self::File(rc) => at(rc),
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// A name as a key of a dictionary.
    pub(crate) fn name_key(name: &Name) -> Key {
        Key::Str(name.clone())
    }
}

/// The value of a name in a namespace.
pub(crate) fn find(entries: &Entries, name: &str) -> Option<Object> {
    entries.get(&Key::Str(Rc::new(Text::new(name)))).map(|(_, value)| value.clone())
}

/// Gives a key a value; of equal keys the first stays.
pub(crate) fn put(entries: &mut Entries, key: Key, object: Object, value: Object) {
    match entries.get_mut(&key) {
        Some((_, kept)) => *kept = value,
        None => {
            entries.insert(key, (object, value));
        }
    }
}
