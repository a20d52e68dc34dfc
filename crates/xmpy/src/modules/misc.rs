//! Small parts of `time`, `random`, `math`, `socket` and `platform`.

use num_traits::ToPrimitive;

use crate::args::Args;
use crate::machine::Machine;
use crate::number::{to_float, to_long};
use crate::object::{Builtin, Object};
use crate::stop::{Res, index_error, type_error, value_error};

pub(super) static TIME: &[Builtin] = &[Builtin { name: "time", call: time }];

pub(super) static RANDOM: &[Builtin] = &[
    Builtin { name: "random", call: random },
    Builtin { name: "randint", call: randint },
    Builtin { name: "randrange", call: randrange },
    Builtin { name: "choice", call: choice },
    Builtin { name: "seed", call: seed },
];

pub(super) static MATH: &[Builtin] = &[
    Builtin { name: "floor", call: floor },
    Builtin { name: "ceil", call: ceil },
    Builtin { name: "fabs", call: fabs },
    Builtin { name: "sqrt", call: sqrt },
    Builtin { name: "log", call: log },
    Builtin { name: "log10", call: log10 },
    Builtin { name: "exp", call: exp },
    Builtin { name: "pow", call: pow },
];

pub(super) static SOCKET: &[Builtin] =
    &[Builtin { name: "gethostname", call: node }, Builtin { name: "getfqdn", call: node }];

pub(super) static PLATFORM: &[Builtin] = &[
    Builtin { name: "system", call: system },
    Builtin { name: "node", call: node },
    Builtin { name: "release", call: release },
    Builtin { name: "version", call: version },
    Builtin { name: "machine", call: machine },
];

fn time(m: &Machine<'_>, args: Args) -> Res {
    args.count("time", 0, 0)?;
    Ok(Object::Float(m.host.now()))
}

fn random(m: &Machine<'_>, args: Args) -> Res {
    args.count("random", 0, 0)?;
    Ok(Object::Float((m.host.random() >> 11) as f64 / (1_u64 << 53) as f64))
}

fn int(args: &Args, at: usize) -> Res<i64> {
    match args.get(at).and_then(to_long).and_then(|long| long.to_i64()) {
        Some(int) => Ok(int),
        None => type_error("an integer is required"),
    }
}

/// One of `count` numbers from `start` on.
fn between(m: &Machine<'_>, start: i64, count: i128) -> Res {
    if count <= 0 {
        return value_error("empty range for randrange()");
    }
    let at = i128::from(m.host.random()) % count;
    Ok(Object::Int((i128::from(start) + at) as i64))
}

fn randint(m: &Machine<'_>, args: Args) -> Res {
    args.count("randint", 2, 2)?;
    let (least, most) = (int(&args, 0)?, int(&args, 1)?);
    between(m, least, i128::from(most) - i128::from(least) + 1)
}

fn randrange(m: &Machine<'_>, args: Args) -> Res {
    args.count("randrange", 1, 2)?;
    let (start, stop) =
        if args.get(1).is_some() { (int(&args, 0)?, int(&args, 1)?) } else { (0, int(&args, 0)?) };
    between(m, start, i128::from(stop) - i128::from(start))
}

fn choice(m: &Machine<'_>, args: Args) -> Res {
    args.count("choice", 1, 1)?;
    let values = m.collect(&args.positional[0])?;
    match values.len() as u64 {
        0 => index_error("list index out of range"),
        len => Ok(values[(m.host.random() % len) as usize].clone()),
    }
}

fn seed(_: &Machine<'_>, args: Args) -> Res {
    args.count("seed", 0, 1)?;
    Ok(Object::None)
}

fn float(args: &Args, at: usize) -> Res<f64> {
    match args.get(at).map(to_float).transpose()?.flatten() {
        Some(float) => Ok(float),
        None => type_error("a float is required"),
    }
}

fn math(args: &Args, name: &str, function: fn(f64) -> f64) -> Res {
    args.count(name, 1, 1)?;
    let value = float(args, 0)?;
    let result = function(value);
    if !result.is_finite() && value.is_finite() {
        value_error("math domain error")
    } else {
        Ok(Object::Float(result))
    }
}

fn floor(_: &Machine<'_>, args: Args) -> Res {
    math(&args, "floor", f64::floor)
}

fn ceil(_: &Machine<'_>, args: Args) -> Res {
    math(&args, "ceil", f64::ceil)
}

fn fabs(_: &Machine<'_>, args: Args) -> Res {
    math(&args, "fabs", f64::abs)
}

fn sqrt(_: &Machine<'_>, args: Args) -> Res {
    math(&args, "sqrt", f64::sqrt)
}

fn log10(_: &Machine<'_>, args: Args) -> Res {
    math(&args, "log10", f64::log10)
}

fn exp(_: &Machine<'_>, args: Args) -> Res {
    math(&args, "exp", f64::exp)
}

fn log(_: &Machine<'_>, args: Args) -> Res {
    args.count("log", 1, 2)?;
    let base = if args.get(1).is_some() { float(&args, 1)?.ln() } else { 1.0 };
    let result = float(&args, 0)?.ln() / base;
    if result.is_finite() { Ok(Object::Float(result)) } else { value_error("math domain error") }
}

fn pow(_: &Machine<'_>, args: Args) -> Res {
    args.count("pow", 2, 2)?;
    let result = float(&args, 0)?.powf(float(&args, 1)?);
    if result.is_finite() { Ok(Object::Float(result)) } else { value_error("math domain error") }
}

fn uname(m: &Machine<'_>, args: &Args, name: &str, at: usize) -> Res {
    args.count(name, 0, 1)?;
    m.string(m.host.uname()[at].as_str())
}

fn system(m: &Machine<'_>, args: Args) -> Res {
    uname(m, &args, "system", 0)
}

fn node(m: &Machine<'_>, args: Args) -> Res {
    uname(m, &args, "node", 1)
}

fn release(m: &Machine<'_>, args: Args) -> Res {
    uname(m, &args, "release", 2)
}

fn version(m: &Machine<'_>, args: Args) -> Res {
    uname(m, &args, "version", 3)
}

fn machine(m: &Machine<'_>, args: Args) -> Res {
    uname(m, &args, "machine", 4)
}
