//! Running a configuration's script, and what of its names counts.

use std::fmt;

use thiserror::Error;
use xmpy::{Fault, Host, Kind, Limits, Script};

use crate::load::File;
use crate::value::Value;

/// What a script left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ran {
    /// The names that it set, in order, with the values that xm would have looked at.
    pub names: Vec<(String, Value)>,
    /// Other names, with the type of the value that xm passed over.
    pub others: Vec<(String, &'static str)>,
}

/// A script came to no end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ScriptError(pub Fault);

impl fmt::Display for ScriptError {
    /// xm's text, and for all but the syntax, which has its line in that, the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { kind, name, line, .. } = &self.0;
        let (message, text) = (printable(&self.0.message), printable(&self.0.text));
        match kind {
            Kind::Syntax => {
                write!(f, "Errors were found at line {line} while processing {name}:\n\t{text}")?;
                if message.is_empty() { Ok(()) } else { write!(f, "\n({message})") }
            }
            _ => write!(f, "{message}\n{}", printable(&self.0.to_string())),
        }
    }
}

/// A script's own words, without what a terminal would obey.
fn printable(text: &str) -> String {
    let safe =
        |c: char| if c.is_control() && !matches!(c, '\t' | '\n') { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(safe).collect()
}

/// Runs a script with these variables.
///
/// # Errors
/// It is no Python that is understood, it raised an exception, or it took too much.
pub fn run(file: File<'_>, words: &[(String, String)], host: &dyn Host) -> Result<Ran, ScriptError> {
    let script = Script { name: file.path, text: file.bytes };
    let words: Vec<_> =
        words.iter().map(|(name, value)| (name.clone(), xmpy::Value::Str(value.clone()))).collect();
    let left = xmpy::run(&script, &words, host, &Limits::default()).map_err(ScriptError)?;
    let mut ran = Ran::default();
    for (name, value) in left {
        let kind = value.type_name();
        match counted(value) {
            Some(value) => ran.names.push((name, value)),
            None => ran.others.push((name, kind)),
        }
    }
    Ok(ran)
}

/// Of what a script leaves, xm took texts, whole numbers of 64 bits, floats and lists, and nothing that is nearly one of them.
fn counted(value: xmpy::Value) -> Option<Value> {
    match value {
        xmpy::Value::Str(text) => Some(Value::Text(text)),
        xmpy::Value::Int(number) => Some(Value::Int(number)),
        xmpy::Value::Float(number) => Some(Value::Float(number)),
        xmpy::Value::List(items) => Some(Value::List(items.into_iter().map(item).collect())),
        _ => None,
    }
}

/// What is in a list xm did not look at before it used it.
fn item(value: xmpy::Value) -> Value {
    match value {
        xmpy::Value::Bool(is) => Value::Text(if is { "True" } else { "False" }.into()),
        xmpy::Value::Long(number) => Value::Text(number.to_string()),
        xmpy::Value::Tuple(items) | xmpy::Value::Set(items) => {
            Value::List(items.into_iter().map(item).collect())
        }
        xmpy::Value::None => Value::Text("None".into()),
        xmpy::Value::Dict(_) | xmpy::Value::Other(_) => Value::Text(format!("<{}>", value.type_name())),
        value => counted(value).unwrap_or(Value::Text(String::new())),
    }
}

#[cfg(test)]
mod tests {
    use xmpy::Sealed;

    use super::*;

    fn ran(source: &str, words: &[(&str, &str)]) -> Result<Ran, String> {
        let words: Vec<_> = words.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        run(File { path: "x.cfg", bytes: source.as_bytes() }, &words, &Sealed)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn texts_numbers_and_lists_count_and_what_is_nearly_one_does_not() {
        let ran = ran(
            "a = 'x' + n\nb = 2\nc = 1.5\nd = [1, (2, True)]\ne = True\nf = (1,)\ng = None",
            &[("n", "3")],
        );
        let ran = ran.unwrap();
        let two = Value::List(vec![Value::Int(2), Value::Text("True".into())]);
        let names: Vec<_> = ran.names.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        assert_eq!(
            names,
            [
                ("n", Value::Text("3".into())),
                ("a", Value::Text("x3".into())),
                ("b", Value::Int(2)),
                ("c", Value::Float(1.5)),
                ("d", Value::List(vec![Value::Int(1), two])),
            ]
        );
        let others: Vec<_> = ran.others.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        assert_eq!(others, [("e", "bool"), ("f", "tuple"), ("g", "NoneType")]);
    }

    #[test]
    fn errors_have_xms_words_first_and_then_the_place() {
        let raised = ran("a = 1\nb = int('x')\n", &[]).unwrap_err();
        assert!(
            raised.starts_with("invalid literal for int() with base 10: 'x'\n  File \"x.cfg\", line 2"),
            "{raised}"
        );
        let syntax = ran("a = [1,\n2\n", &[]).unwrap_err();
        assert!(syntax.starts_with("Errors were found at line "), "{syntax}");
        assert!(syntax.contains(" while processing x.cfg:\n\t"), "{syntax}");
        for source in ["raise ValueError('\\x1b[2J')", "a = \x1b"] {
            assert!(!ran(source, &[]).unwrap_err().contains('\x1b'), "{source}");
        }
    }
}
