//! Python's own functions.

mod convert;
mod inspect;
pub(crate) mod io;
mod iterators;

use crate::machine::Machine;
use crate::object::{Builtin, Entries, Object, Type};
use crate::stop::CLASSES;

/// Functions by name.
static FUNCTIONS: &[Builtin] = &[
    Builtin { name: "abs", call: convert::abs },
    Builtin { name: "all", call: iterators::all },
    Builtin { name: "any", call: iterators::any },
    Builtin { name: "ascii", call: convert::repr },
    Builtin { name: "bin", call: convert::bin },
    Builtin { name: "callable", call: inspect::callable },
    Builtin { name: "chr", call: convert::chr },
    Builtin { name: "cmp", call: convert::cmp },
    Builtin { name: "dir", call: inspect::dir },
    Builtin { name: "divmod", call: convert::divmod },
    Builtin { name: "enumerate", call: iterators::enumerate },
    Builtin { name: "eval", call: io::eval },
    Builtin { name: "exec", call: io::exec },
    Builtin { name: "execfile", call: io::execfile },
    Builtin { name: "filter", call: iterators::filter },
    Builtin { name: "format", call: convert::format },
    Builtin { name: "getattr", call: inspect::getattr },
    Builtin { name: "globals", call: inspect::globals },
    Builtin { name: "hasattr", call: inspect::hasattr },
    Builtin { name: "hash", call: inspect::hash },
    Builtin { name: "hex", call: convert::hex },
    Builtin { name: "id", call: inspect::id },
    Builtin { name: "input", call: io::input },
    Builtin { name: "intern", call: convert::str },
    Builtin { name: "isinstance", call: inspect::isinstance },
    Builtin { name: "issubclass", call: inspect::issubclass },
    Builtin { name: "iter", call: iterators::iter },
    Builtin { name: "len", call: inspect::len },
    Builtin { name: "locals", call: inspect::locals },
    Builtin { name: "map", call: iterators::map },
    Builtin { name: "max", call: iterators::max },
    Builtin { name: "min", call: iterators::min },
    Builtin { name: "next", call: iterators::next },
    Builtin { name: "oct", call: convert::oct },
    Builtin { name: "open", call: io::open },
    Builtin { name: "ord", call: convert::ord },
    Builtin { name: "pow", call: convert::pow },
    Builtin { name: "print", call: io::print },
    Builtin { name: "range", call: iterators::range },
    Builtin { name: "raw_input", call: io::input },
    Builtin { name: "reduce", call: iterators::reduce },
    Builtin { name: "repr", call: convert::repr },
    Builtin { name: "reversed", call: iterators::reversed },
    Builtin { name: "round", call: convert::round },
    Builtin { name: "setattr", call: inspect::setattr },
    Builtin { name: "sorted", call: iterators::sorted },
    Builtin { name: "sum", call: iterators::sum },
    Builtin { name: "unichr", call: convert::chr },
    Builtin { name: "vars", call: inspect::locals },
    Builtin { name: "xrange", call: iterators::xrange },
    Builtin { name: "zip", call: iterators::zip },
    Builtin { name: "__import__", call: io::import },
    // What the statements of Python 2 became: `raise E, x` and `print >>file, x`.
    Builtin { name: "__raise__", call: io::raise },
    Builtin { name: "__print_to__", call: io::print_to },
];

/// Types that scripts call by name.
const TYPES: [Type; 16] = [
    Type::Object,
    Type::Bool,
    Type::Int,
    Type::Long,
    Type::Float,
    Type::BaseString,
    Type::Str,
    Type::Unicode,
    Type::List,
    Type::Tuple,
    Type::Dict,
    Type::Set,
    Type::FrozenSet,
    Type::Slice,
    Type::Class,
    Type::File,
];

impl Machine<'_> {
    /// Fills the names that every script sees.
    pub(crate) fn install_builtins(&self) {
        let mut prelude = self.prelude.borrow_mut();
        for builtin in FUNCTIONS {
            add(&mut prelude, builtin.name, Object::Builtin(builtin));
        }
        for of in TYPES {
            add(&mut prelude, of.name(), Object::Type(of));
        }
        // Later names for the same things.
        add(&mut prelude, "bytes", Object::Type(Type::Str));
        for class in CLASSES.iter().filter(|class| **class != crate::stop::RE_ERROR) {
            add(&mut prelude, class.name(), Object::Class(*class));
        }
        add(&mut prelude, "__name__", Object::text("__builtin__"));
        add(&mut prelude, "__debug__", Object::Bool(true));
    }
}

/// Adds a name to a namespace.
pub(crate) fn add(entries: &mut Entries, name: &str, value: Object) {
    let key = std::rc::Rc::new(crate::text::Text::new(name));
    entries.insert(Object::name_key(&key), (Object::Str(key), value));
}
