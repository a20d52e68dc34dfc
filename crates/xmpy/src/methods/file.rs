//! Methods of files: what `open` and `os.popen` read is all there at once.

use std::rc::Rc;

use crate::args::Args;
use crate::machine::Machine;
use crate::number::to_long;
use crate::object::{File, MethodFn, Object, Stream};
use crate::stop::{IO_ERROR, Res, Stop, type_error};

pub(crate) const METHODS: &[(&str, MethodFn)] = &[
    ("read", read),
    ("readline", readline),
    ("readlines", readlines),
    ("xreadlines", readlines),
    ("next", next),
    ("write", write),
    ("writelines", writelines),
    ("close", close),
    ("flush", close),
    ("isatty", isatty),
    ("__enter__", enter),
    ("__exit__", exit),
];

fn file(receiver: &Object) -> Res<&Rc<File>> {
    match receiver {
        Object::File(file) => Ok(file),
        other => type_error(format!("a file is required, not {}", other.type_name())),
    }
}

impl Machine<'_> {
    /// The lines that were not read yet.
    pub(crate) fn lines_left(&self, file: &File) -> Res<Vec<Object>> {
        let mut lines = Vec::new();
        while let Some(line) = line(file) {
            self.charge_values(1)?;
            lines.push(self.string(line)?);
        }
        Ok(lines)
    }
}

/// The next line.
pub(crate) fn line(file: &File) -> Option<&str> {
    let rest = &file.text.as_str()[file.at.get()..];
    let len = rest.find('\n').map_or(rest.len(), |at| at + 1);
    file.at.set(file.at.get() + len);
    (len > 0).then(|| &rest[..len])
}

fn read(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("read", 0, 1)?;
    let file = file(receiver)?;
    let rest = &file.text.as_str()[file.at.get()..];
    let wanted = args.get(0).and_then(to_long).and_then(|count| usize::try_from(&*count).ok());
    let len = wanted.and_then(|count| rest.char_indices().nth(count)).map_or(rest.len(), |(at, _)| at);
    file.at.set(file.at.get() + len);
    m.string(&rest[..len])
}

fn readline(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("readline", 0, 0)?;
    m.string(line(file(receiver)?).unwrap_or_default())
}

fn readlines(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("readlines", 0, 0)?;
    m.list(m.lines_left(file(receiver)?)?)
}

fn next(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("next", 0, 0)?;
    match line(file(receiver)?) {
        Some(line) => m.string(line),
        None => Err(Stop::raise(crate::stop::STOP_ITERATION, "")),
    }
}

fn write(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [text] = args.exactly("write")?;
    let Some(stream) = file(receiver)?.stream else {
        return Err(Stop::raise(IO_ERROR, "File not open for writing"));
    };
    let Object::Str(text) = text else { return type_error("expected a character buffer object") };
    m.charge(text.as_str().len())?;
    m.host.print(text.as_str(), stream == Stream::Err);
    Ok(Object::None)
}

fn writelines(m: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    let [lines] = args.exactly("writelines")?;
    for line in m.collect(&lines)? {
        write(m, receiver, Args::of(vec![line]))?;
    }
    Ok(Object::None)
}

fn close(_: &Machine<'_>, _: &Object, args: Args) -> Res {
    args.count("close", 0, 0)?;
    Ok(Object::None)
}

fn isatty(_: &Machine<'_>, _: &Object, args: Args) -> Res {
    args.count("isatty", 0, 0)?;
    Ok(Object::Bool(false))
}

fn enter(_: &Machine<'_>, receiver: &Object, args: Args) -> Res {
    args.count("__enter__", 0, 0)?;
    Ok(receiver.clone())
}

fn exit(_: &Machine<'_>, _: &Object, _: Args) -> Res {
    Ok(Object::None)
}
