//! `str` and `repr`.

use std::fmt::Write;

use crate::machine::Machine;
use crate::object::Object;
use crate::stop::{Exception, KEY_ERROR, Res};

impl Machine<'_> {
    pub(crate) fn str_object(&self, object: &Object) -> Res {
        match object {
            Object::Str(_) => Ok(object.clone()),
            _ => {
                let text = self.str(object)?;
                self.string(text)
            }
        }
    }

    pub(crate) fn repr_object(&self, object: &Object) -> Res {
        let text = self.repr(object)?;
        self.string(text)
    }

    /// What `print` shows of an object.
    pub(crate) fn str(&self, object: &Object) -> Res<String> {
        Ok(match object {
            Object::Str(text) => {
                self.charge(text.as_str().len())?;
                text.as_str().to_owned()
            }
            Object::Float(value) => float_str(*value),
            Object::Long(value) => {
                self.step((value.bits() / 64).pow(2) as usize / 64)?;
                value.to_string()
            }
            Object::Exception(exception) => self.exception_str(exception)?,
            _ => self.repr(object)?,
        })
    }

    /// The text of an exception: its one argument, or all as a tuple.
    pub(crate) fn exception_str(&self, exception: &Exception) -> Res<String> {
        let args = exception.args.borrow().clone();
        match args.as_slice() {
            [] => Ok(String::new()),
            [key] if exception.class.is_below(KEY_ERROR) => self.repr(key),
            [one] => self.value_level(|| self.str(one)),
            [number, text] if exception.class.is_below(crate::stop::ENVIRONMENT_ERROR) => {
                Ok(format!("[Errno {}] {}", self.str(number)?, self.str(text)?))
            }
            several => {
                let mut out = String::new();
                self.write_all(&mut out, "(", several, ")")?;
                Ok(out)
            }
        }
    }

    pub(crate) fn repr(&self, object: &Object) -> Res<String> {
        let mut out = String::new();
        self.write_repr(&mut out, object, &mut Vec::new())?;
        Ok(out)
    }

    fn push(&self, out: &mut String, text: &str) -> Res<()> {
        self.charge(text.len())?;
        out.push_str(text);
        Ok(())
    }

    fn write_all(&self, out: &mut String, open: &str, values: &[Object], close: &str) -> Res<()> {
        self.write_sequence(out, open, values, close, &mut Vec::new())
    }

    /// `around` are the containers that are being written: one of them within itself is written as dots.
    fn write_repr(&self, out: &mut String, object: &Object, around: &mut Vec<usize>) -> Res<()> {
        self.step(1)?;
        match object {
            Object::None => self.push(out, "None"),
            Object::Bool(true) => self.push(out, "True"),
            Object::Bool(false) => self.push(out, "False"),
            Object::Int(value) => self.push(out, &value.to_string()),
            Object::Long(_) => {
                let digits = self.str(object)?;
                self.push(out, &(digits + "L"))
            }
            Object::Float(value) => self.push(out, &float_repr(*value)),
            Object::Str(text) => {
                self.charge(text.as_str().len())?;
                self.push(out, &quoted(text.as_str()))
            }
            Object::List(_) | Object::Tuple(_) | Object::Dict(_) | Object::Set(_) => {
                let own = object.identity().unwrap_or_default();
                self.step(around.len())?;
                if around.contains(&own) {
                    return self.push(out, cycle(object));
                }
                around.push(own);
                let result = self.value_level(|| self.write_container(out, object, around));
                around.pop();
                result
            }
            Object::Range(range) => {
                let end = range.start.wrapping_add(range.step.wrapping_mul(range.len as i64));
                let text = match (range.start, range.step) {
                    (0, 1) => format!("xrange({end})"),
                    (start, 1) => format!("xrange({start}, {end})"),
                    (start, step) => format!("xrange({start}, {end}, {step})"),
                };
                self.push(out, &text)
            }
            Object::Exception(exception) => {
                let args = exception.args.borrow().clone();
                self.push(out, exception.class.name())?;
                self.value_level(|| {
                    self.write_sequence(out, "(", &args, if args.len() == 1 { ",)" } else { ")" }, around)
                })
            }
            Object::Function(function) => {
                self.push(out, &format!("<function {}>", function.code.name.as_str()))
            }
            Object::Builtin(builtin) => self.push(out, &format!("<built-in function {}>", builtin.name)),
            Object::Method(method) => {
                let of = method.receiver.type_name();
                self.push(out, &format!("<built-in method {} of {of} object>", method.name))
            }
            Object::Type(of) => self.push(out, &format!("<type '{}'>", of.name())),
            Object::Class(class) => self.push(out, &format!("<type 'exceptions.{}'>", class.name())),
            Object::Module(module) => self.push(out, &format!("<module '{}'>", module.name)),
            Object::File(file) => self.push(out, &format!("<open file '{}'>", file.name)),
            other => self.push(out, &format!("<{} object>", other.type_name())),
        }
    }

    fn write_container(&self, out: &mut String, object: &Object, around: &mut Vec<usize>) -> Res<()> {
        match object {
            Object::List(list) => self.write_sequence(out, "[", &list.borrow(), "]", around),
            Object::Tuple(tuple) => {
                self.write_sequence(out, "(", tuple, if tuple.len() == 1 { ",)" } else { ")" }, around)
            }
            Object::Set(set) => {
                let values: Vec<Object> = set.items.borrow().values().cloned().collect();
                let open = if set.frozen { "frozenset([" } else { "set([" };
                self.write_sequence(out, open, &values, "])", around)
            }
            Object::Dict(dict) => {
                self.push(out, "{")?;
                for (at, (key, value)) in dict.borrow().values().enumerate() {
                    if at > 0 {
                        self.push(out, ", ")?;
                    }
                    self.write_repr(out, key, around)?;
                    self.push(out, ": ")?;
                    self.write_repr(out, value, around)?;
                }
                self.push(out, "}")
            }
            _ => Ok(()),
        }
    }

    fn write_sequence(
        &self,
        out: &mut String,
        open: &str,
        values: &[Object],
        close: &str,
        around: &mut Vec<usize>,
    ) -> Res<()> {
        self.push(out, open)?;
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                self.push(out, ", ")?;
            }
            self.write_repr(out, value, around)?;
        }
        self.push(out, close)
    }
}

fn cycle(object: &Object) -> &'static str {
    match object {
        Object::List(_) => "[...]",
        Object::Tuple(_) => "(...)",
        Object::Dict(_) => "{...}",
        _ => "set(...)",
    }
}

/// A string as a literal.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            // Writing into a string does not fail.
            c if (c as u32) < 0x20 || (0x7f..0xa0).contains(&(c as u32)) => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// As Python 2's `str`: 12 digits.
pub(crate) fn float_str(value: f64) -> String {
    with_point(general(value, 12, false))
}

/// The shortest text that reads back as the same number.
pub(crate) fn float_repr(value: f64) -> String {
    let Some((digits, exponent)) = decimal(&format!("{:e}", value.abs())) else {
        return special(value, false);
    };
    let text = layout(&digits, exponent, 16, false);
    with_point(sign(value) + &text)
}

/// What `%g` shows, without trailing zeros unless `keep_zeros`.
pub(crate) fn general(value: f64, precision: usize, keep_zeros: bool) -> String {
    let precision = precision.max(1);
    let Some((digits, exponent)) = decimal(&format!("{:.*e}", precision - 1, value.abs())) else {
        return special(value, false);
    };
    let digits = if keep_zeros { digits.as_str() } else { digits.trim_end_matches('0') };
    let digits = if digits.is_empty() { "0" } else { digits };
    sign(value) + &layout(digits, exponent, precision as i32, keep_zeros)
}

/// `inf` and `nan`.
pub(crate) fn special(value: f64, upper: bool) -> String {
    let text = if value.is_nan() { "nan".to_owned() } else { sign(value) + "inf" };
    if upper { text.to_uppercase() } else { text }
}

fn sign(value: f64) -> String {
    if value.is_sign_negative() && !value.is_nan() { "-".to_owned() } else { String::new() }
}

/// The digits and the exponent of what `{:e}` printed.
fn decimal(scientific: &str) -> Option<(String, i32)> {
    let (mantissa, exponent) = scientific.split_once('e')?;
    Some((mantissa.replace('.', ""), exponent.parse().ok()?))
}

/// Digits with a point, or with an exponent where it is below -4 or at least `most`.
fn layout(digits: &str, exponent: i32, most: i32, keep_zeros: bool) -> String {
    if !(-4..most).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{first}{point}{rest}e{sign}{:02}", exponent.abs());
    }
    if exponent < 0 {
        return format!("0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{digits}{}{}", "0".repeat(whole - digits.len()), if keep_zeros { "." } else { "" });
    }
    format!("{}.{}", &digits[..whole], &digits[whole..])
}

/// A float always looks like one.
fn with_point(text: String) -> String {
    if text.contains(['.', 'e', 'n']) { text } else { text + ".0" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_shown_as_python_2_shows_them() {
        for (value, str, repr) in [
            (0.1, "0.1", "0.1"),
            (0.1 + 0.2, "0.3", "0.30000000000000004"),
            (1.0, "1.0", "1.0"),
            (-0.0, "-0.0", "-0.0"),
            (1e16, "1e+16", "1e+16"),
            (1e11, "100000000000.0", "100000000000.0"),
            (1e12, "1e+12", "1000000000000.0"),
            (123456789012345.0, "1.23456789012e+14", "123456789012345.0"),
            (1e-4, "0.0001", "0.0001"),
            (1e-5, "1e-05", "1e-05"),
            (f64::INFINITY, "inf", "inf"),
            (1.5e300, "1.5e+300", "1.5e+300"),
        ] {
            assert_eq!((float_str(value).as_str(), float_repr(value).as_str()), (str, repr));
        }
    }

    #[test]
    fn strings_are_quoted_as_literals() {
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("a'b\"c\n\u{1}\\"), "'a\\'b\"c\\n\\x01\\\\'");
        assert_eq!(quoted("é"), "'é'");
    }
}
