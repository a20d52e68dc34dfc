//! `re`.

mod matches;

use std::rc::Rc;

use regex::{Captures, Regex, RegexBuilder};

use super::make;
use super::os::string;
use super::regex_syntax::translate;
use crate::args::Args;
use crate::iterate::State;
use crate::machine::Machine;
use crate::number::to_long;
use crate::object::{Builtin, MethodFn, Module, Object};
use crate::stop::{RE_ERROR, Res, Stop, type_error};
use crate::text::Text;

pub(crate) use matches::{MATCH_METHODS, Match, group, match_attribute};

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) text: Rc<Text>,
    regex: Regex,
    /// How many steps a byte of text takes at worst.
    cost: usize,
}

const IGNORE_CASE: i64 = 2;
const MULTI_LINE: i64 = 8;
const DOT_ALL: i64 = 16;
const VERBOSE: i64 = 64;

/// Bytes that a pattern may become when it is compiled, and with how much is tried first.
const SIZES: [usize; 4] = [8 << 10, 32 << 10, 128 << 10, 512 << 10];

static FUNCTIONS: &[Builtin] = &[
    Builtin { name: "compile", call: compile },
    Builtin { name: "search", call: search },
    Builtin { name: "match", call: match_start },
    Builtin { name: "fullmatch", call: fullmatch },
    Builtin { name: "findall", call: findall },
    Builtin { name: "finditer", call: finditer },
    Builtin { name: "split", call: split },
    Builtin { name: "sub", call: sub },
    Builtin { name: "subn", call: subn },
    Builtin { name: "escape", call: escape },
];

pub(crate) const PATTERN_METHODS: &[(&str, MethodFn)] = &[
    ("search", |m, pattern, args| search(m, with(pattern, args))),
    ("match", |m, pattern, args| match_start(m, with(pattern, args))),
    ("fullmatch", |m, pattern, args| fullmatch(m, with(pattern, args))),
    ("findall", |m, pattern, args| findall(m, with(pattern, args))),
    ("finditer", |m, pattern, args| finditer(m, with(pattern, args))),
    ("split", |m, pattern, args| split(m, with(pattern, args))),
    ("sub", |m, pattern, args| sub(m, with(pattern, args))),
    ("subn", |m, pattern, args| subn(m, with(pattern, args))),
];

pub(super) fn load(m: &Machine<'_>) -> Res<Rc<Module>> {
    let flags = [
        ("I", IGNORE_CASE),
        ("IGNORECASE", IGNORE_CASE),
        ("M", MULTI_LINE),
        ("MULTILINE", MULTI_LINE),
        ("S", DOT_ALL),
        ("DOTALL", DOT_ALL),
        ("X", VERBOSE),
        ("VERBOSE", VERBOSE),
        ("L", 4),
        ("LOCALE", 4),
        ("U", 32),
        ("UNICODE", 32),
    ];
    let mut others: Vec<(&str, Object)> =
        flags.into_iter().map(|(name, flag)| (name, Object::Int(flag))).collect();
    others.push(("error", Object::Class(RE_ERROR)));
    make(m, "re", FUNCTIONS, others)
}

fn with(pattern: &Object, mut args: Args) -> Args {
    args.positional.insert(0, pattern.clone());
    args
}

fn flags(args: &Args, at: usize) -> i64 {
    args.get(at).and_then(to_long).and_then(|flags| i64::try_from(&*flags).ok()).unwrap_or(0)
}

/// The pattern that an argument is or spells.
fn pattern(m: &Machine<'_>, of: Option<&Object>, flags: i64) -> Res<Rc<Pattern>> {
    let text = match of {
        Some(Object::Pattern(pattern)) => return Ok(pattern.clone()),
        Some(Object::Str(text)) => text.clone(),
        _ => return type_error("first argument must be string or compiled pattern"),
    };
    m.charge(16 * text.as_str().len())?;
    let known = m.patterns.borrow().get(&(text.clone(), flags)).cloned();
    if let Some(known) = known {
        return Ok(known);
    }
    let error = |why: String| Stop::raise(RE_ERROR, why);
    let translated = translate(text.as_str()).map_err(error)?;
    let mut failed = String::new();
    for size in SIZES {
        // What a pattern keeps beside its program (tables, caches) is several times that.
        m.charge(4 * size)?;
        let built = RegexBuilder::new(&translated)
            .case_insensitive(flags & IGNORE_CASE != 0)
            .multi_line(flags & MULTI_LINE != 0)
            .dot_matches_new_line(flags & DOT_ALL != 0)
            .ignore_whitespace(flags & VERBOSE != 0)
            .size_limit(size)
            .dfa_size_limit(size)
            .nest_limit(50)
            .build();
        match built {
            Ok(regex) => {
                let pattern = Rc::new(Pattern { text: text.clone(), regex, cost: size / (2 << 10) });
                m.patterns.borrow_mut().insert((text, flags), pattern.clone());
                return Ok(pattern);
            }
            Err(regex::Error::CompiledTooBig(_)) => failed = "the pattern is too large".to_owned(),
            Err(other) => {
                let why = other.to_string();
                return Err(error(why.lines().last().unwrap_or_default().trim().to_owned()));
            }
        }
    }
    Err(error(failed))
}

/// The text that is searched, with the cost of doing so once taken.
fn subject(m: &Machine<'_>, pattern: &Pattern, args: &Args, at: usize) -> Res<Rc<Text>> {
    let Some(Object::Str(text)) = args.get(at) else { return type_error("expected string or buffer") };
    m.step(text.as_str().len().saturating_mul(pattern.cost))?;
    Ok(text.clone())
}

fn found(m: &Machine<'_>, pattern: &Rc<Pattern>, text: &Rc<Text>, captures: &Captures<'_>) -> Res {
    m.charge(24 * captures.len())?;
    let groups = captures.iter().map(|group| group.map(|group| (group.start(), group.end()))).collect();
    m.keep(Object::Match(Rc::new(Match { text: text.clone(), pattern: pattern.clone(), groups })))
}

fn compile(m: &Machine<'_>, args: Args) -> Res {
    args.count("compile", 1, 2)?;
    Ok(Object::Pattern(pattern(m, args.get(0), flags(&args, 1))?))
}

/// The first match that is as `fits` wants it.
fn first(m: &Machine<'_>, mut args: Args, name: &str, anchored: (bool, bool)) -> Res {
    if let Some(flags) = args.take_keyword("flags") {
        args.positional.push(flags);
    }
    args.count(name, 2, 3)?;
    let flags = flags(&args, 2);
    let mut pattern = pattern(m, args.get(0), flags)?;
    if anchored != (false, false) {
        let (start, end) = (if anchored.0 { "\\A" } else { "" }, if anchored.1 { "\\Z" } else { "" });
        // A verbose pattern may end in a comment; the line's end ends it.
        let text = Object::text(format!(
            "{start}(?:{}{}){end}",
            pattern.text.as_str(),
            if flags & VERBOSE != 0 { "\n" } else { "" }
        ));
        // Flags that stand at a pattern's beginning apply to the group just as well.
        pattern = self::pattern(m, Some(&text), flags)?;
    }
    let text = subject(m, &pattern, &args, 1)?;
    match pattern.regex.captures(text.as_str()) {
        Some(captures) => found(m, &pattern, &text, &captures),
        None => Ok(Object::None),
    }
}

fn search(m: &Machine<'_>, args: Args) -> Res {
    first(m, args, "search", (false, false))
}

fn match_start(m: &Machine<'_>, args: Args) -> Res {
    first(m, args, "match", (true, false))
}

fn fullmatch(m: &Machine<'_>, args: Args) -> Res {
    first(m, args, "fullmatch", (true, true))
}

/// All matches that do not overlap.
fn all(m: &Machine<'_>, args: &Args, name: &str) -> Res<Vec<Rc<Match>>> {
    args.count(name, 2, 3)?;
    let pattern = pattern(m, args.get(0), flags(args, 2))?;
    let text = subject(m, &pattern, args, 1)?;
    let mut matches = Vec::new();
    for captures in pattern.regex.captures_iter(text.as_str()) {
        m.step(1 + pattern.cost)?;
        if let Object::Match(one) = found(m, &pattern, &text, &captures)? {
            matches.push(one);
        }
    }
    Ok(matches)
}

fn findall(m: &Machine<'_>, args: Args) -> Res {
    let matches = all(m, &args, "findall")?;
    let mut values = Vec::with_capacity(matches.len());
    for one in matches {
        let group = |at: usize| m.string(one.part(at).unwrap_or_default());
        values.push(match one.groups.len() {
            1 => group(0)?,
            2 => group(1)?,
            count => m.tuple((1..count).map(group).collect::<Res<_>>()?)?,
        });
    }
    m.list(values)
}

fn finditer(m: &Machine<'_>, args: Args) -> Res {
    let matches = all(m, &args, "finditer")?;
    m.iter_object(State::Values(matches.into_iter().map(Object::Match).collect(), 0))
}

fn split(m: &Machine<'_>, mut args: Args) -> Res {
    let most = args.take_keyword("maxsplit").or_else(|| args.get(2).cloned());
    args.positional.truncate(2);
    let most = most
        .as_ref()
        .and_then(to_long)
        .and_then(|most| usize::try_from(&*most).ok())
        .filter(|most| *most > 0);
    let text = string(&args, 1)?.to_owned();
    m.charge(text.len())?;
    let mut values = Vec::new();
    let mut at = 0;
    // As in Python 2, nothing is split where nothing was matched.
    let matches = all(m, &args, "split")?;
    for one in matches.iter().filter(|one| one.part(0) != Some("")).take(most.unwrap_or(usize::MAX)) {
        let Some((start, end)) = one.groups[0] else { continue };
        values.push(m.string(&text[at..start])?);
        for group in 1..one.groups.len() {
            values.push(one.part(group).map_or(Ok(Object::None), |part| m.string(part))?);
        }
        at = end;
    }
    values.push(m.string(&text[at..])?);
    m.list(values)
}

fn substitute(m: &Machine<'_>, mut args: Args) -> Res<(Object, i64)> {
    let count = args.take_keyword("count").or_else(|| args.get(3).cloned());
    if args.positional.len() < 3 {
        return type_error("sub() takes at least 3 arguments");
    }
    let replacement = args.positional.remove(1);
    args.positional.truncate(2);
    let most = count
        .as_ref()
        .and_then(to_long)
        .and_then(|most| usize::try_from(&*most).ok())
        .filter(|most| *most > 0);
    let text = string(&args, 1)?.to_owned();
    m.charge(text.len())?;
    let mut out = String::new();
    let (mut at, mut done) = (0, 0);
    let matches = all(m, &args, "sub")?;
    for one in matches.iter().take(most.unwrap_or(usize::MAX)) {
        let Some((start, end)) = one.groups[0] else { continue };
        out.push_str(&text[at..start]);
        let new = match &replacement {
            Object::Str(template) => one.expand(m, template.as_str())?,
            function => match m.call(function, Args::of(vec![Object::Match(one.clone())]))? {
                Object::Str(new) => new.as_str().to_owned(),
                other => return type_error(format!("expected string, {} found", other.type_name())),
            },
        };
        m.charge(new.len())?;
        out.push_str(&new);
        at = end;
        done += 1;
    }
    out.push_str(&text[at..]);
    Ok((m.string(out)?, done))
}

fn sub(m: &Machine<'_>, args: Args) -> Res {
    Ok(substitute(m, args)?.0)
}

fn subn(m: &Machine<'_>, args: Args) -> Res {
    let (text, done) = substitute(m, args)?;
    m.tuple(vec![text, Object::Int(done)])
}

fn escape(m: &Machine<'_>, args: Args) -> Res {
    args.count("escape", 1, 1)?;
    let text = string(&args, 0)?;
    m.charge(2 * text.len())?;
    let mut out = String::with_capacity(2 * text.len());
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() {
            out.push('\\');
        }
        out.push(c);
    }
    m.string(out)
}
