//! Matches: what a pattern matched, and where.

use std::rc::Rc;

use super::Pattern;
use crate::args::Args;
use crate::machine::Machine;
use crate::number::to_long;
use crate::object::{Entries, MethodFn, Object};
use crate::stop::{INDEX_ERROR, RE_ERROR, Res, Stop, type_error};
use crate::text::Text;

/// Where a pattern matched.
#[derive(Debug)]
pub(crate) struct Match {
    pub(super) text: Rc<Text>,
    pub(super) pattern: Rc<Pattern>,
    /// In bytes, the whole first.
    pub(super) groups: Vec<Option<(usize, usize)>>,
}

pub(crate) const MATCH_METHODS: &[(&str, MethodFn)] = &[
    ("group", match_group),
    ("groups", match_groups),
    ("groupdict", match_groupdict),
    ("start", |m, found, args| edge(m, found, &args, |span| span.0)),
    ("end", |m, found, args| edge(m, found, &args, |span| span.1)),
    ("span", span),
];

impl Match {
    /// What a group matched.
    pub(super) fn part(&self, group: usize) -> Option<&str> {
        let (start, end) = self.groups.get(group).copied().flatten()?;
        self.text.as_str().get(start..end)
    }

    /// The number of a group that is given by number or name.
    fn number(&self, group: &Object) -> Res<usize> {
        let number = match group {
            Object::Str(name) => {
                self.pattern.regex.capture_names().position(|known| known == Some(name.as_str()))
            }
            other => to_long(other).and_then(|number| usize::try_from(&*number).ok()),
        };
        match number.filter(|number| *number < self.groups.len()) {
            Some(number) => Ok(number),
            None => Err(Stop::raise(INDEX_ERROR, "no such group")),
        }
    }

    /// A template with `\1` and `\g<name>` replaced.
    pub(super) fn expand(&self, m: &Machine<'_>, template: &str) -> Res<String> {
        m.charge(template.len())?;
        let mut out = String::new();
        let mut chars = template.chars().peekable();
        while let Some(c) = chars.next() {
            let group = match (c, chars.peek().copied()) {
                ('\\', Some(digit)) if digit.is_ascii_digit() => {
                    let mut number = String::new();
                    while number.len() < 2 && chars.peek().is_some_and(char::is_ascii_digit) {
                        number.extend(chars.next());
                    }
                    Object::Int(number.parse().unwrap_or(0))
                }
                ('\\', Some('g')) => {
                    let name: String = chars.by_ref().skip(2).take_while(|c| *c != '>').collect();
                    name.parse().map_or_else(|_| Object::text(name), Object::Int)
                }
                ('\\', Some(next)) => {
                    chars.next();
                    match next {
                        'n' => out.push('\n'),
                        't' => out.push('\t'),
                        'r' => out.push('\r'),
                        '\\' => out.push('\\'),
                        other => out.extend(['\\', other]),
                    }
                    continue;
                }
                _ => {
                    out.push(c);
                    continue;
                }
            };
            let group = self.number(&group).map_err(|_| Stop::raise(RE_ERROR, "invalid group reference"))?;
            let part = self.part(group).unwrap_or_default();
            m.charge(part.len())?;
            out.push_str(part);
        }
        Ok(out)
    }
}

fn match_of(object: &Object) -> Res<&Rc<Match>> {
    match object {
        Object::Match(found) => Ok(found),
        other => type_error(format!("a match is required, not {}", other.type_name())),
    }
}

/// `match[group]` and `match.group(group)`.
pub(crate) fn group(m: &Machine<'_>, object: &Object, group: &Object) -> Res {
    let found = match_of(object)?;
    found.part(found.number(group)?).map_or(Ok(Object::None), |part| m.string(part))
}

fn match_group(m: &Machine<'_>, object: &Object, args: Args) -> Res {
    match args.positional.as_slice() {
        [] => group(m, object, &Object::Int(0)),
        [one] => group(m, object, one),
        several => m.tuple(several.iter().map(|one| group(m, object, one)).collect::<Res<_>>()?),
    }
}

fn match_groups(m: &Machine<'_>, object: &Object, args: Args) -> Res {
    args.count("groups", 0, 1)?;
    let found = match_of(object)?;
    let default = args.get(0).cloned().unwrap_or(Object::None);
    let part = |at: usize| found.part(at).map_or_else(|| Ok(default.clone()), |part| m.string(part));
    m.tuple((1..found.groups.len()).map(part).collect::<Res<_>>()?)
}

fn match_groupdict(m: &Machine<'_>, object: &Object, args: Args) -> Res {
    args.count("groupdict", 0, 1)?;
    let found = match_of(object)?;
    let mut entries = Entries::new();
    for (at, name) in found.pattern.regex.capture_names().enumerate() {
        let Some(name) = name else { continue };
        let value = found.part(at).map_or(Ok(Object::None), |part| m.string(part))?;
        crate::builtins::add(&mut entries, name, value);
    }
    m.dict(entries).map(Object::Dict)
}

fn edge(_: &Machine<'_>, object: &Object, args: &Args, of: fn((usize, usize)) -> usize) -> Res {
    args.count("span", 0, 1)?;
    let found = match_of(object)?;
    let group = args.get(0).map_or(Ok(0), |group| found.number(group))?;
    Ok(Object::Int(found.groups[group].map_or(-1, |span| found.text.index(of(span)) as i64)))
}

fn span(m: &Machine<'_>, object: &Object, args: Args) -> Res {
    m.tuple(vec![edge(m, object, &args, |span| span.0)?, edge(m, object, &args, |span| span.1)?])
}

/// `match.string` and the like.
pub(crate) fn match_attribute(found: &Match, name: &str) -> Option<Object> {
    match name {
        "string" => Some(Object::Str(found.text.clone())),
        "re" => Some(Object::Pattern(found.pattern.clone())),
        "lastindex" => {
            let last = (1..found.groups.len()).rfind(|at| found.groups[*at].is_some());
            Some(last.map_or(Object::None, |at| Object::Int(at as i64)))
        }
        _ => None,
    }
}
