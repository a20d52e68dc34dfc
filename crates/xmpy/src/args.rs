//! The arguments of a call.

use crate::ast::Name;
use crate::object::Object;
use crate::stop::{Res, type_error};

/// What a function is called with.
#[derive(Debug, Default)]
pub(crate) struct Args {
    pub(crate) positional: Vec<Object>,
    pub(crate) keywords: Vec<(Name, Object)>,
}

impl Args {
    pub(crate) fn of(positional: Vec<Object>) -> Self {
        Self { positional, keywords: Vec::new() }
    }

    /// Checks that there are from `min` to `max` arguments, and none by name.
    pub(crate) fn count(&self, function: &str, min: usize, max: usize) -> Res<()> {
        if let Some((name, _)) = self.keywords.first() {
            return type_error(format!(
                "{function}() got an unexpected keyword argument '{}'",
                name.as_str()
            ));
        }
        let given = self.positional.len();
        if (min..=max).contains(&given) {
            return Ok(());
        }
        let (word, wanted) = match (min == max, given < min) {
            (true, _) => ("exactly", min),
            (false, true) => ("at least", min),
            (false, false) => ("at most", max),
        };
        if max == 0 {
            return type_error(format!("{function}() takes no arguments ({given} given)"));
        }
        let plural = if wanted == 1 { "" } else { "s" };
        type_error(format!("{function}() takes {word} {wanted} argument{plural} ({given} given)"))
    }

    /// Exactly `N` arguments.
    pub(crate) fn exactly<const N: usize>(self, function: &str) -> Res<[Object; N]> {
        self.count(function, N, N)?;
        match self.positional.try_into() {
            Ok(array) => Ok(array),
            Err(_) => type_error(format!("{function}() takes exactly {N} arguments")),
        }
    }

    /// The argument at a position, or by a name.
    pub(crate) fn get(&self, at: usize) -> Option<&Object> {
        self.positional.get(at)
    }

    /// Takes an argument that may be given by name out.
    pub(crate) fn take_keyword(&mut self, name: &str) -> Option<Object> {
        let at = self.keywords.iter().position(|(known, _)| known.as_str() == name)?;
        Some(self.keywords.remove(at).1)
    }
}
