//! What reaches out of the script: printing, files, other scripts.

use std::cell::Cell;
use std::rc::Rc;

use crate::args::Args;
use crate::machine::Machine;
use crate::object::{Dict, File, Object, Stream};
use crate::stop::{EOF_ERROR, IO_ERROR, RUNTIME_ERROR, Res, Stop, type_error};
use crate::text::Text;

fn print_values(m: &Machine<'_>, values: &[Object], separator: &str, end: &str, to: Stream) -> Res {
    let mut line = String::new();
    for (at, value) in values.iter().enumerate() {
        let text = m.str(value)?;
        m.charge(separator.len() + text.len())?;
        if at > 0 {
            line.push_str(separator);
        }
        line.push_str(&text);
    }
    m.charge(end.len() + 1)?;
    line.push_str(end);
    m.host.print(&line, to == Stream::Err);
    Ok(Object::None)
}

fn stream(file: &Object) -> Res<Stream> {
    match file {
        Object::File(file) => match file.stream {
            Some(stream) => Ok(stream),
            None => Err(Stop::raise(IO_ERROR, "File not open for writing")),
        },
        Object::None => Ok(Stream::Out),
        other => type_error(format!("cannot print to '{}' object", other.type_name())),
    }
}

/// `print(.., sep=, end=, file=)`
pub(super) fn print(m: &Machine<'_>, mut args: Args) -> Res {
    let separator = args.take_keyword("sep");
    let end = args.take_keyword("end");
    let to = stream(&args.take_keyword("file").unwrap_or(Object::None))?;
    args.take_keyword("flush");
    args.count("print", 0, usize::MAX)?;
    let separator = separator.as_ref().and_then(Object::as_str).unwrap_or(" ");
    print_values(m, &args.positional, separator, end.as_ref().and_then(Object::as_str).unwrap_or("\n"), to)
}

/// `print >>file, ..`
pub(super) fn print_to(m: &Machine<'_>, mut args: Args) -> Res {
    let end = args.take_keyword("end");
    let [file, values @ ..] = args.positional.as_slice() else { return type_error("print >> needs a file") };
    print_values(m, values, " ", end.as_ref().and_then(Object::as_str).unwrap_or("\n"), stream(file)?)
}

/// `raise class, value`: the value is the exception, its arguments, or its one argument.
pub(super) fn raise(m: &Machine<'_>, args: Args) -> Res {
    args.count("raise", 2, 3)?;
    let [class, value] = [&args.positional[0], &args.positional[1]];
    if !matches!(class, Object::Class(_)) {
        return m.exception_of(class).map(Object::Exception);
    }
    match value {
        Object::Exception(_) => Ok(value.clone()),
        Object::None => m.call(class, Args::default()),
        Object::Tuple(values) => m.call(class, Args::of(values.to_vec())),
        value => m.call(class, Args::of(vec![value.clone()])),
    }
}

pub(super) fn input(_: &Machine<'_>, _: Args) -> Res {
    Err(Stop::raise(EOF_ERROR, "EOF when reading a line: a configuration has no input"))
}

/// A file with what was read in it.
pub(crate) fn file_of(m: &Machine<'_>, name: &str, bytes: &[u8]) -> Res {
    m.charge(2 * bytes.len() + name.len())?;
    // What is no UTF-8 is taken byte by byte, so that nothing is lost.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let file = File { name: name.to_owned(), text: Rc::new(Text::new(text)), at: Cell::new(0), stream: None };
    m.keep(Object::File(Rc::new(file)))
}

pub(super) fn open(m: &Machine<'_>, mut args: Args) -> Res {
    let mode = args.take_keyword("mode");
    args.count("open", 1, 3)?;
    let Some(Object::Str(path)) = args.get(0) else {
        return type_error("coercing to Unicode: need string or buffer");
    };
    let mode = mode.as_ref().or(args.get(1)).and_then(Object::as_str).unwrap_or("r");
    if mode.contains(['w', 'a', '+']) {
        let message = format!("cannot write '{}': a configuration may not write files", path.as_str());
        return Err(Stop::raise(IO_ERROR, message));
    }
    let bytes = m.read(path.as_str())?;
    file_of(m, path.as_str(), &bytes)
}

/// The namespace that an argument names, or that of the running code: in a function a copy, with its variables.
fn namespace(m: &Machine<'_>, args: &Args) -> Res<Rc<Dict>> {
    match args.get(1) {
        Some(Object::Dict(names)) => return Ok(names.clone()),
        None | Some(Object::None) => {}
        Some(other) => return type_error(format!("globals must be a dict, not {}", other.type_name())),
    }
    let Some(frame) = m.frame() else { return Err(Stop::raise(RUNTIME_ERROR, "no code is running")) };
    if frame.code.is_none() {
        return Ok(frame.unit.globals.clone());
    }
    m.charge_values(8 * frame.unit.globals.borrow().len())?;
    let mut names = frame.unit.globals.borrow().clone();
    for (name, value) in frame.locals() {
        names.insert(Object::name_key(&name), (Object::Str(name), value));
    }
    m.dict(names)
}

/// `exec code`, `exec(code, globals)`: a string or an open file.
pub(super) fn exec(m: &Machine<'_>, args: Args) -> Res {
    args.count("exec", 1, 3)?;
    let names = namespace(m, &args)?;
    match &args.positional[0] {
        Object::Str(text) => m.run_text("<string>", text.as_str().as_bytes(), names)?,
        Object::File(file) => {
            let rest = &file.text.as_str()[file.at.get()..];
            m.run_text(&file.name, rest.as_bytes(), names)?;
        }
        other => {
            let message =
                format!("exec: arg 1 must be a string, file, or code object, not {}", other.type_name());
            return type_error(message);
        }
    }
    Ok(Object::None)
}

pub(super) fn eval(m: &Machine<'_>, args: Args) -> Res {
    args.count("eval", 1, 3)?;
    let names = namespace(m, &args)?;
    match &args.positional[0] {
        Object::Str(text) => m.eval_text(text.as_str(), names),
        _ => type_error("eval() arg 1 must be a string or code object"),
    }
}

pub(super) fn execfile(m: &Machine<'_>, args: Args) -> Res {
    args.count("execfile", 1, 3)?;
    let names = namespace(m, &args)?;
    let Some(Object::Str(path)) = args.get(0) else { return type_error("execfile() needs a path") };
    let text = m.read(path.as_str())?;
    m.run_text(path.as_str(), &text, names)?;
    Ok(Object::None)
}

pub(super) fn import(m: &Machine<'_>, args: Args) -> Res {
    match args.get(0) {
        Some(Object::Str(name)) => m.import(name.as_str(), false),
        _ => type_error("__import__() argument 1 must be string"),
    }
}

/// One of the standard streams.
pub(crate) fn standard(m: &Machine<'_>, name: &str, stream: Stream) -> Res {
    let text = Rc::new(Text::new(""));
    m.keep(Object::File(Rc::new(File {
        name: name.to_owned(),
        text,
        at: Cell::new(0),
        stream: Some(stream),
    })))
}
