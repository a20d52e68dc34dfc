//! Conversions between types, and arithmetic.

use std::rc::Rc;

use num_bigint::{BigInt, Sign};
use num_traits::{Num, Signed, ToPrimitive, Zero};

use crate::access::range_of;
use crate::args::Args;
use crate::ast::{BinaryOp, UnaryOp};
use crate::machine::Machine;
use crate::methods;
use crate::number::{to_float, to_long, truncate};
use crate::object::{Object, Type};
use crate::show::quoted;
use crate::stop::{Res, overflow_error, type_error, value_error};

impl Machine<'_> {
    /// Calls a type.
    pub(crate) fn construct(&self, of: Type, mut args: Args) -> Res {
        if of == Type::Dict {
            let entries = methods::dict::entries(self, "dict", args)?;
            return self.dict(entries).map(Object::Dict);
        }
        for name in ["base", "encoding", "errors"] {
            if let Some(value) = args.take_keyword(name) {
                args.positional.push(value);
            }
        }
        let most = if matches!(of, Type::Int | Type::Long) { 2 } else { 3 };
        args.count(of.name(), 0, most)?;
        let first = args.get(0).cloned();
        match (of, first) {
            (Type::Bool, first) => Ok(Object::Bool(first.is_some_and(|first| self.truth(&first)))),
            (Type::Int, None) => Ok(Object::Int(0)),
            (Type::Long, None) => self.long(BigInt::zero()),
            (Type::Int, Some(value)) => {
                let long = self.to_integer("int", &value, args.get(1))?;
                self.integer(long)
            }
            (Type::Long, Some(value)) => {
                let long = self.to_integer("long", &value, args.get(1))?;
                self.long(long)
            }
            (Type::Float, None) => Ok(Object::Float(0.0)),
            (Type::Float, Some(value)) => self.to_float(&value),
            (Type::Str | Type::Unicode, None) => self.string(""),
            (Type::Str | Type::Unicode, Some(value)) => self.str_object(&value),
            (Type::List, None) => self.list(Vec::new()),
            (Type::List, Some(values)) => self.list(self.collect(&values)?),
            (Type::Tuple, None) => self.tuple(Vec::new()),
            (Type::Tuple, Some(tuple @ Object::Tuple(_))) => Ok(tuple),
            (Type::Tuple, Some(values)) => self.tuple(self.collect(&values)?),
            (Type::Set | Type::FrozenSet, None) => self.make_set(&[], of == Type::FrozenSet),
            (Type::Set | Type::FrozenSet, Some(values)) => {
                self.make_set(&self.collect(&values)?, of == Type::FrozenSet)
            }
            (Type::Class, Some(Object::Exception(exception))) => Ok(Object::Class(exception.class)),
            (Type::Class, Some(value)) => Ok(Object::Type(value.type_of())),
            (Type::File, Some(_)) => super::io::open(self, args),
            (Type::Slice, Some(first)) => {
                let slice = match (args.get(1), args.get(2)) {
                    (None, _) => [Object::None, first, Object::None],
                    (Some(stop), step) => [first, stop.clone(), step.cloned().unwrap_or(Object::None)],
                };
                self.keep(Object::Slice(Rc::new(slice)))
            }
            _ => type_error(format!("cannot create '{}' instances", of.name())),
        }
    }

    fn to_integer(&self, function: &str, value: &Object, base: Option<&Object>) -> Res<BigInt> {
        let radix = match base {
            None => 10,
            Some(base) => match (to_long(base).and_then(|base| base.to_u32()), value) {
                (_, other) if !matches!(other, Object::Str(_)) => {
                    return type_error(format!("{function}() can't convert non-string with explicit base"));
                }
                (Some(radix @ (0 | 2..=36)), _) => radix,
                _ => return value_error(format!("{function}() base must be >= 2 and <= 36")),
            },
        };
        match value {
            Object::Str(text) => {
                let text = text.as_str();
                // Reading digits takes time with the square of their number.
                self.step((text.len() / 16).saturating_mul(text.len() / 16))?;
                match parse_integer(text, radix) {
                    Some(integer) => Ok(integer),
                    None => value_error(format!(
                        "invalid literal for {function}() with base {radix}: {}",
                        quoted(text.trim_start())
                    )),
                }
            }
            Object::Float(float) => truncate(*float),
            other => match to_long(other) {
                Some(long) => Ok((*long).clone()),
                None => type_error(format!(
                    "{function}() argument must be a string or a number, not '{}'",
                    other.type_name()
                )),
            },
        }
    }

    fn to_float(&self, value: &Object) -> Res {
        if let Object::Str(text) = value {
            let trimmed = text.as_str().trim();
            self.scan(trimmed.len())?;
            let plain = trimmed.trim_start_matches(['+', '-']).to_ascii_lowercase();
            let known = ["inf", "infinity", "nan"].contains(&plain.as_str())
                || plain.starts_with(|c: char| c.is_ascii_digit() || c == '.');
            return match trimmed.parse::<f64>() {
                Ok(float) if known => Ok(Object::Float(float)),
                _ if trimmed.is_empty() => value_error("could not convert string to float: "),
                _ => value_error(format!("could not convert string to float: {trimmed}")),
            };
        }
        match to_float(value)? {
            Some(float) => Ok(Object::Float(float)),
            None => type_error("float() argument must be a string or a number"),
        }
    }
}

/// Reads an integer as `int(text, radix)` does: sign, white space, and with radix 0 or the same a prefix.
fn parse_integer(text: &str, radix: u32) -> Option<BigInt> {
    let text = text.trim();
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text[1..].trim_start()),
        b'+' => (false, text[1..].trim_start()),
        _ => (false, text),
    };
    let prefixed = |prefix: &str| digits.get(..2).filter(|start| start.eq_ignore_ascii_case(prefix));
    let (digits, radix) = match radix {
        0 | 16 if prefixed("0x").is_some() => (&digits[2..], 16),
        0 | 8 if prefixed("0o").is_some() => (&digits[2..], 8),
        0 | 2 if prefixed("0b").is_some() => (&digits[2..], 2),
        0 if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        0 => (digits, 10),
        radix => (digits, radix),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = BigInt::from_str_radix(digits, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

pub(super) fn str(m: &Machine<'_>, args: Args) -> Res {
    m.construct(Type::Str, args)
}

pub(super) fn repr(m: &Machine<'_>, args: Args) -> Res {
    let [value] = args.exactly("repr")?;
    m.repr_object(&value)
}

pub(super) fn format(m: &Machine<'_>, args: Args) -> Res {
    args.count("format", 1, 2)?;
    let spec = args.get(1).and_then(Object::as_str).unwrap_or_default();
    crate::format::format(m, &args.positional[0], spec)
}

pub(super) fn abs(m: &Machine<'_>, args: Args) -> Res {
    let [value] = args.exactly("abs")?;
    match &value {
        Object::Float(float) => Ok(Object::Float(float.abs())),
        Object::Long(long) => m.long(long.abs()),
        Object::Int(int) if *int < 0 => m.unary(UnaryOp::Minus, &value),
        Object::Int(_) => Ok(value),
        Object::Bool(bool) => Ok(Object::Int(i64::from(*bool))),
        other => type_error(format!("bad operand type for abs(): '{}'", other.type_name())),
    }
}

pub(super) fn cmp(m: &Machine<'_>, args: Args) -> Res {
    let [a, b] = args.exactly("cmp")?;
    Ok(Object::Int(m.compare(&a, &b)? as i64))
}

pub(super) fn divmod(m: &Machine<'_>, args: Args) -> Res {
    let [a, b] = args.exactly("divmod")?;
    m.div_mod_objects(&a, &b)
}

pub(super) fn pow(m: &Machine<'_>, args: Args) -> Res {
    args.count("pow", 2, 3)?;
    let [base, exponent] = [&args.positional[0], &args.positional[1]];
    let Some(modulus) = args.get(2).filter(|modulus| !matches!(modulus, Object::None)) else {
        return m.binary(BinaryOp::Pow, base, exponent);
    };
    let (Some(base), Some(exponent), Some(modulus)) = (to_long(base), to_long(exponent), to_long(modulus))
    else {
        return type_error("pow() 3rd argument not allowed unless all arguments are integers");
    };
    if exponent.is_negative() {
        return type_error("pow() 2nd argument cannot be negative when 3rd argument specified");
    }
    if modulus.is_zero() {
        return value_error("pow() 3rd argument cannot be 0");
    }
    let limbs = (modulus.bits() / 64 + 1) as usize;
    m.step((exponent.bits() as usize).saturating_mul(limbs * limbs))?;
    let mut power = base.modpow(&exponent, &modulus.abs());
    if modulus.is_negative() && !power.is_zero() {
        power += &*modulus;
    }
    m.integer(power)
}

/// Half away from zero, as a float: Python 2's.
pub(super) fn round(_: &Machine<'_>, args: Args) -> Res {
    args.count("round", 1, 2)?;
    let digits = match args.get(1) {
        None => 0,
        Some(digits) => match to_long(digits).and_then(|digits| digits.to_i32()) {
            Some(digits) => digits,
            None => return type_error("an integer is required"),
        },
    };
    let Some(value) = to_float(&args.positional[0])? else { return type_error("a float is required") };
    if !value.is_finite() || digits > 300 {
        return Ok(Object::Float(value));
    }
    if digits < -308 {
        return Ok(Object::Float(0.0_f64.copysign(value)));
    }
    if digits <= 0 {
        let scale = 10_f64.powi(-digits);
        return Ok(Object::Float((value / scale).round() * scale));
    }
    // Rounding the exact decimal, not a product that was rounded before; what lies exactly between goes outwards.
    let exact = format!("{value:.*}", 1100);
    let point = exact.find('.').unwrap_or(exact.len());
    let cut = point + 1 + digits as usize;
    let half =
        exact.get(cut..).is_some_and(|rest| rest.starts_with('5') && rest[1..].bytes().all(|b| b == b'0'));
    let rounded = if half {
        let kept = &exact[..cut];
        let step = 10_f64.powi(-digits).copysign(value);
        let kept: f64 = kept.parse().unwrap_or(value);
        let up = format!("{:.*}", digits as usize, kept + step);
        up.parse().unwrap_or(value)
    } else {
        format!("{value:.*}", digits as usize).parse().unwrap_or(value)
    };
    Ok(Object::Float(rounded))
}

pub(super) fn chr(m: &Machine<'_>, args: Args) -> Res {
    let [code] = args.exactly("chr")?;
    let Some(code) = to_long(&code) else { return type_error("an integer is required") };
    match code.to_u32().and_then(char::from_u32) {
        Some(c) => m.string(c.to_string()),
        None => value_error("chr() arg not in range(0x110000)"),
    }
}

pub(super) fn ord(_: &Machine<'_>, args: Args) -> Res {
    let [text] = args.exactly("ord")?;
    let Object::Str(text) = &text else {
        return type_error(format!("ord() expected string of length 1, but {} found", text.type_name()));
    };
    let mut chars = text.as_str().chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(Object::Int(i64::from(c as u32))),
        _ => type_error(format!("ord() expected a character, but string of length {} found", text.chars())),
    }
}

fn in_radix(m: &Machine<'_>, args: Args, function: &str, prefix: &str, radix: u32) -> Res {
    let [value] = args.exactly(function)?;
    let Some(long) = to_long(&value) else {
        return type_error(format!("{function}() argument can't be converted to {function}"));
    };
    let sign = if long.sign() == Sign::Minus { "-" } else { "" };
    let prefix = if radix == 8 && long.is_zero() { "" } else { prefix };
    let suffix = if matches!(value, Object::Long(_)) { "L" } else { "" };
    m.string(format!("{sign}{prefix}{}{suffix}", long.magnitude().to_str_radix(radix)))
}

pub(super) fn hex(m: &Machine<'_>, args: Args) -> Res {
    in_radix(m, args, "hex", "0x", 16)
}

pub(super) fn oct(m: &Machine<'_>, args: Args) -> Res {
    in_radix(m, args, "oct", "0", 8)
}

pub(super) fn bin(m: &Machine<'_>, args: Args) -> Res {
    in_radix(m, args, "bin", "0b", 2)
}

/// The arguments of `range` and `xrange`.
pub(super) fn range_args(args: &Args, function: &str) -> Res<crate::object::Range> {
    args.count(function, 1, 3)?;
    let number = |at: usize| match args.get(at).map(|value| (to_long(value), value)) {
        None => Ok(None),
        Some((Some(long), _)) => match long.to_i64() {
            Some(int) => Ok(Some(int)),
            None => overflow_error("Python int too large to convert to C long"),
        },
        Some((None, Object::Float(_))) => type_error("range() integer argument expected, got float."),
        Some((None, other)) => {
            type_error(format!("range() integer end argument expected, got {}.", other.type_name()))
        }
    };
    let (first, second, third) = (number(0)?, number(1)?, number(2)?);
    let (start, stop) = match (first, second) {
        (Some(start), Some(stop)) => (start, stop),
        (first, _) => (0, first.unwrap_or_default()),
    };
    match third {
        Some(0) if function == "range" => value_error("range() step argument must not be zero"),
        Some(0) => value_error(format!("{function}() arg 3 must not be zero")),
        step => Ok(range_of(start, stop, step.unwrap_or(1))),
    }
}
