//! What a script leaves behind, as plain data.

use num_bigint::BigInt;

/// A value that goes into a script or comes out of it. Python's types are kept apart, since xm looked at them: it took
/// str, list, int and float, exactly.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// An int: 64 bits.
    Int(i64),
    /// A long: any size. As in Python 2 what an int cannot hold becomes one, and stays one.
    Long(BigInt),
    /// A float.
    Float(f64),
    /// A string.
    Str(String),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dictionary, in the order of insertion.
    Dict(Vec<(Value, Value)>),
    /// A set, in the order of insertion.
    Set(Vec<Value>),
    /// Anything else (a function, a module, a list that contains itself), by the name of its type.
    Other(&'static str),
}

impl Value {
    /// The name of the type, as Python 2 has it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Long(_) => "long",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::Set(_) => "set",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

/// The names that a script assigned (and the variables that it was given), in the order in which they first were.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Namespace {
    names: Vec<(String, Value)>,
}

impl Namespace {
    pub(crate) fn new(names: Vec<(String, Value)>) -> Self {
        Self { names }
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.names.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.names.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl IntoIterator for Namespace {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.names.into_iter()
    }
}
