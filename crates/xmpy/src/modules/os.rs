//! `os` and `commands`: what of them a configuration may want.

use std::rc::Rc;

use super::make;
use crate::args::Args;
use crate::builtins::{self, io::file_of};
use crate::eval::io_error;
use crate::machine::Machine;
use crate::object::{Builtin, Entries, Module, Object, find};
use crate::stop::{OS_ERROR, Res, Stop, type_error};

static FUNCTIONS: &[Builtin] = &[
    Builtin { name: "uname", call: uname },
    Builtin { name: "getenv", call: getenv },
    Builtin { name: "getcwd", call: getcwd },
    Builtin { name: "listdir", call: listdir },
    Builtin { name: "popen", call: popen },
    Builtin { name: "system", call: system },
];

pub(super) static COMMANDS: &[Builtin] = &[
    Builtin { name: "getoutput", call: getoutput },
    Builtin { name: "getstatusoutput", call: getstatusoutput },
];

pub(super) fn load(m: &Machine<'_>) -> Res<Rc<Module>> {
    let mut variables = Entries::new();
    for (name, value) in m.host.environ() {
        m.charge(name.len() + value.len() + 128)?;
        builtins::add(&mut variables, &name, Object::text(value));
    }
    let environ = Object::Dict(m.dict(variables)?);
    let path = m.import("os.path", true)?;
    make(
        m,
        "os",
        FUNCTIONS,
        vec![
            ("environ", environ),
            ("path", path),
            ("name", Object::text("posix")),
            ("sep", Object::text("/")),
            ("linesep", Object::text("\n")),
            ("curdir", Object::text(".")),
            ("pardir", Object::text("..")),
            ("devnull", Object::text("/dev/null")),
            ("pathsep", Object::text(":")),
            ("error", Object::Class(OS_ERROR)),
        ],
    )
}

/// An argument that has to be a string.
pub(super) fn string(args: &Args, at: usize) -> Res<&str> {
    match args.get(at) {
        Some(Object::Str(text)) => Ok(text.as_str()),
        Some(other) => {
            type_error(format!("coercing to Unicode: need string or buffer, {} found", other.type_name()))
        }
        None => type_error("a string is required"),
    }
}

fn uname(m: &Machine<'_>, args: Args) -> Res {
    args.count("uname", 0, 0)?;
    m.tuple(m.host.uname().into_iter().map(Object::text).collect())
}

/// Asks `os.environ` as the script sees it, with what it put there.
fn getenv(m: &Machine<'_>, args: Args) -> Res {
    args.count("getenv", 1, 2)?;
    let default = args.get(1).cloned().unwrap_or(Object::None);
    let Object::Module(os) = m.import("os", true)? else { return Ok(default) };
    let environ = find(&os.names.borrow(), "environ");
    let Some(Object::Dict(environ)) = environ else { return Ok(default) };
    let found = find(&environ.borrow(), string(&args, 0)?);
    Ok(found.unwrap_or(default))
}

fn getcwd(m: &Machine<'_>, args: Args) -> Res {
    args.count("getcwd", 0, 0)?;
    match m.host.current_dir() {
        Some(path) => m.string(path),
        None => Err(Stop::raise(OS_ERROR, "the current directory is not known here")),
    }
}

fn listdir(m: &Machine<'_>, args: Args) -> Res {
    args.count("listdir", 1, 1)?;
    let path = string(&args, 0)?;
    let names =
        m.host.list_dir(path).map_err(|refusal| io_error(&refusal, &format!("cannot list '{path}'")))?;
    m.charge_values(names.len())?;
    m.list(names.into_iter().map(|name| m.string(name)).collect::<Res<_>>()?)
}

/// Runs a command by the host's leave.
fn run(m: &Machine<'_>, command: &str) -> Res<Vec<u8>> {
    let output = m.host.popen(command, m.limits.source);
    let output = output.map_err(|refusal| io_error(&refusal, &format!("cannot run '{command}'")))?;
    m.charge(output.len())?;
    Ok(output)
}

fn popen(m: &Machine<'_>, args: Args) -> Res {
    args.count("popen", 1, 3)?;
    let command = string(&args, 0)?;
    file_of(m, command, &run(m, command)?)
}

fn system(m: &Machine<'_>, args: Args) -> Res {
    args.count("system", 1, 1)?;
    let output = run(m, string(&args, 0)?)?;
    m.host.print(&String::from_utf8_lossy(&output), false);
    Ok(Object::Int(0))
}

fn output(m: &Machine<'_>, args: &Args) -> Res {
    let output = run(m, string(args, 0)?)?;
    let text = String::from_utf8_lossy(&output);
    m.string(text.strip_suffix('\n').unwrap_or(&text))
}

fn getoutput(m: &Machine<'_>, args: Args) -> Res {
    args.count("getoutput", 1, 1)?;
    output(m, &args)
}

fn getstatusoutput(m: &Machine<'_>, args: Args) -> Res {
    args.count("getstatusoutput", 1, 1)?;
    let output = output(m, &args)?;
    m.tuple(vec![Object::Int(0), output])
}
