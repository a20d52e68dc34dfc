//! From a text to the tree that is evaluated.
//!
//! The grammar is `ruff_python_parser`'s, of Python 3. Only this module and those below it name ruff's types, which their
//! authors call internal: the versions are pinned, and what is made of them is [`crate::ast`]. Before the parser sees a
//! text its nesting is bounded ([`crate::scan`]) and what is Python 2's is rewritten ([`crate::python2`]).

mod expr;
mod function;
mod names;
mod stmt;

use ruff_python_parser::parse_module;
use ruff_text_size::{Ranged, TextRange};

use crate::ast::Module;
use crate::fault::{Fault, Kind};
use crate::python2::{Modern, modernize};
use crate::scan::scan;
use crate::source::{Source, Span};
use names::Scopes;

/// Parses a script.
///
/// # Errors
/// A syntax error, something that is not supported, or too deep a nesting; with the place.
pub(crate) fn parse(source: &Source) -> Result<Module, Fault> {
    let tokens = scan(&source.text)
        .map_err(|(span, limit)| source.fault(span, Kind::Limit(limit), limit.to_string()))?;
    let syntax = |(span, message)| source.fault(span, Kind::Syntax, message);
    let modern = modernize(&source.text, &tokens).map_err(syntax)?;
    let parsed = parse_module(&modern.text).map_err(|error| {
        let range = error.location;
        // What is missing at the end is missing at the end, wherever the bracket was opened.
        let span = modern.old_span(range.start().to_u32(), range.end().to_u32());
        let message = error.error.to_string();
        if is_end(&message) {
            let end = source.text.len() as u32;
            return source.fault(
                Span { start: end, end },
                Kind::Syntax,
                "unexpected end of the file".to_owned(),
            );
        }
        source.fault(span, Kind::Syntax, format!("invalid syntax: {}", lower_first(&message)))
    })?;
    let mut lowerer =
        Lowerer { modern: &modern, scopes: Scopes::default(), in_loop: false, true_division: false };
    let body = lowerer.block(parsed.suite()).map_err(|refused| syntax((refused.span, refused.message)))?;
    Ok(Module { body })
}

/// Whether ruff's message says that the text ended too early.
fn is_end(message: &str) -> bool {
    message.contains("unexpected EOF")
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// What is not supported, and where.
struct Refused {
    span: Span,
    message: String,
}

type Lowered<T> = Result<T, Refused>;

/// Makes our tree of ruff's.
struct Lowerer<'a> {
    modern: &'a Modern,
    scopes: Scopes,
    in_loop: bool,
    /// Whether `from __future__ import division` came before.
    true_division: bool,
}

impl Lowerer<'_> {
    fn span(&self, of: impl Ranged) -> Span {
        self.range(of.range())
    }

    fn range(&self, range: TextRange) -> Span {
        self.modern.old_span(range.start().to_u32(), range.end().to_u32())
    }

    fn refuse<T>(&self, at: impl Ranged, message: impl Into<String>) -> Lowered<T> {
        Err(Refused { span: self.span(at), message: message.into() })
    }
}
