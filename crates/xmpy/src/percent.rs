//! The `%` operator of strings.

use std::rc::Rc;

use num_bigint::{BigInt, Sign};
use num_traits::ToPrimitive;

use crate::machine::Machine;
use crate::number::{to_float, to_long, truncate};
use crate::object::{Key, Object};
use crate::show::{general, special};
use crate::stop::{KEY_ERROR, Res, Stop, overflow_error, type_error, value_error};
use crate::text::Text;

/// What stands between a `%` and its letter.
#[derive(Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// Most digits that are asked for after a point: more would be zeros anyway.
pub(crate) const MAX_PRECISION: usize = 1100;

/// Formats a template with a value, a tuple of values, or (for `%(name)s`) a dictionary.
pub(crate) fn format(machine: &Machine<'_>, template: &Rc<Text>, value: &Object) -> Res {
    let text = template.as_str();
    machine.charge(text.len())?;
    let mut values = Values { machine, whole: value, taken: 0, used_mapping: false };
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut at = 0;
    while let Some(c) = chars.next() {
        at += 1;
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut letters = Letters { chars: &mut chars, at: &mut at };
        let mapped = match letters.peek() {
            Some('(') => Some(values.mapped(&letters.name()?)?),
            _ => None,
        };
        let spec = letters.spec(&mut values)?;
        let Some(letter) = letters.next() else { return value_error("incomplete format") };
        let index = at - 1;
        if letter == '%' {
            machine.charge(1)?;
            out.push('%');
            continue;
        }
        let value = match mapped {
            Some(value) => value,
            None => values.next()?,
        };
        let part = spec.format(machine, letter, index, &value)?;
        machine.charge(part.len())?;
        out.push_str(&part);
    }
    values.all_used()?;
    machine.string(out)
}

/// What is left of the right operand.
struct Values<'a> {
    machine: &'a Machine<'a>,
    whole: &'a Object,
    taken: usize,
    used_mapping: bool,
}

impl Values<'_> {
    fn next(&mut self) -> Res {
        let value = match self.whole {
            Object::Tuple(tuple) => tuple.get(self.taken).cloned(),
            other if self.taken == 0 => Some(other.clone()),
            _ => None,
        };
        self.taken += 1;
        value.ok_or_else(|| Stop::raise(crate::stop::TYPE_ERROR, "not enough arguments for format string"))
    }

    fn mapped(&mut self, name: &str) -> Res {
        let Object::Dict(dict) = self.whole else { return type_error("format requires a mapping") };
        self.used_mapping = true;
        self.machine.step(1)?;
        let found = dict.borrow().get(&Key::Str(Rc::new(Text::new(name)))).map(|(_, value)| value.clone());
        found.ok_or_else(|| Stop::raise(KEY_ERROR, name))
    }

    fn all_used(&self) -> Res<()> {
        let left = match self.whole {
            Object::Tuple(tuple) => self.taken < tuple.len(),
            Object::Dict(_) | Object::List(_) => false,
            _ => self.taken == 0,
        };
        if left && !self.used_mapping {
            return type_error("not all arguments converted during string formatting");
        }
        Ok(())
    }
}

struct Letters<'a, 't> {
    chars: &'a mut std::iter::Peekable<std::str::Chars<'t>>,
    at: &'a mut usize,
}

impl Letters<'_, '_> {
    fn peek(&mut self) -> Option<char> {
        self.chars.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        *self.at += 1;
        self.chars.next()
    }

    /// A name in parentheses, which may be nested.
    fn name(&mut self) -> Res<String> {
        self.next();
        let mut depth = 1;
        let mut name = String::new();
        while let Some(c) = self.next() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(name);
            }
            name.push(c);
        }
        value_error("incomplete format key")
    }

    fn spec(&mut self, values: &mut Values<'_>) -> Res<Spec> {
        let mut spec = Spec::default();
        while let Some(c) = self.peek() {
            match c {
                '-' => spec.left = true,
                '+' => spec.plus = true,
                ' ' => spec.space = true,
                '0' => spec.zero = true,
                '#' => spec.alternate = true,
                _ => break,
            }
            self.next();
        }
        if let Some(width) = self.count(values)? {
            spec.left |= width < 0;
            spec.width = width.unsigned_abs() as usize;
        }
        if self.peek() == Some('.') {
            self.next();
            spec.precision = Some(self.count(values)?.unwrap_or(0).max(0) as usize);
        }
        while matches!(self.peek(), Some('h' | 'l' | 'L')) {
            self.next();
        }
        Ok(spec)
    }

    /// A number, or `*` for the next value.
    fn count(&mut self, values: &mut Values<'_>) -> Res<Option<i64>> {
        if self.peek() == Some('*') {
            self.next();
            return match values.next()? {
                Object::Int(count) => Ok(Some(count)),
                Object::Bool(count) => Ok(Some(i64::from(count))),
                _ => type_error("* wants int"),
            };
        }
        let mut count: Option<i64> = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.next();
            count = Some(count.unwrap_or(0).saturating_mul(10).saturating_add(i64::from(digit)));
        }
        if count.is_some_and(|count| count > i64::from(i32::MAX)) {
            return value_error("width too big");
        }
        Ok(count)
    }
}

impl Spec {
    fn format(&self, machine: &Machine<'_>, letter: char, index: usize, value: &Object) -> Res<String> {
        match letter {
            's' => self.text(machine, &machine.str(value)?),
            'r' | 'a' => self.text(machine, &machine.repr(value)?),
            'c' => self.text(machine, &character(value)?),
            'd' | 'i' | 'u' | 'o' | 'x' | 'X' => {
                let integer = integer(letter, value)?;
                self.integer(machine, letter, &integer)
            }
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => match to_float(value)? {
                Some(float) => self.float(machine, letter, float),
                None => type_error("float argument required, not ".to_owned() + value.type_name()),
            },
            _ => value_error(format!(
                "unsupported format character '{}' (0x{:x}) at index {index}",
                if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' },
                letter as u32
            )),
        }
    }

    /// Room for what is formatted, before it is.
    fn room(&self, machine: &Machine<'_>) -> Res<()> {
        machine.charge(self.width.max(self.precision.unwrap_or(0)))
    }

    fn text(&self, machine: &Machine<'_>, text: &str) -> Res<String> {
        self.room(machine)?;
        let text: String = match self.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.to_owned(),
        };
        Ok(self.pad("", &text, false))
    }

    fn integer(&self, machine: &Machine<'_>, letter: char, value: &BigInt) -> Res<String> {
        self.room(machine)?;
        machine.step((value.bits() / 64).pow(2) as usize / 64)?;
        let (radix, prefix) = match letter {
            'o' => (8, "0"),
            'x' => (16, "0x"),
            'X' => (16, "0X"),
            _ => (10, ""),
        };
        let mut digits = value.magnitude().to_str_radix(radix);
        if letter == 'X' {
            digits.make_ascii_uppercase();
        }
        let missing = self.precision.unwrap_or(0).saturating_sub(digits.len());
        digits.insert_str(0, &"0".repeat(missing));
        // An octal number's prefix is a zero, and one that begins with zero has it.
        let prefix = if self.alternate && !(letter == 'o' && digits.starts_with('0')) { prefix } else { "" };
        let sign = self.sign(value.sign() == Sign::Minus).to_owned() + prefix;
        Ok(self.pad(&sign, &digits, self.zero))
    }

    fn float(&self, machine: &Machine<'_>, letter: char, value: f64) -> Res<String> {
        self.room(machine)?;
        let precision = self.precision.unwrap_or(6).min(MAX_PRECISION);
        let sign = self.sign(value.is_sign_negative() && !value.is_nan());
        if !value.is_finite() {
            return Ok(self.pad(sign, &special(value.abs(), letter.is_ascii_uppercase()), false));
        }
        let mut digits = float_digits(letter, value.abs(), precision, self.alternate);
        if letter.is_ascii_uppercase() {
            digits.make_ascii_uppercase();
        }
        Ok(self.pad(sign, &digits, self.zero))
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        }
    }

    fn pad(&self, sign: &str, text: &str, zero: bool) -> String {
        let missing = self.width.saturating_sub(sign.len() + text.chars().count());
        match (self.left, zero) {
            (true, _) => format!("{sign}{text}{}", " ".repeat(missing)),
            (false, true) => format!("{sign}{}{text}", "0".repeat(missing)),
            (false, false) => format!("{}{sign}{text}", " ".repeat(missing)),
        }
    }
}

/// The digits of a float that is not negative, in the form that a letter means.
pub(crate) fn float_digits(letter: char, value: f64, precision: usize, alternate: bool) -> String {
    match letter.to_ascii_lowercase() {
        'e' => {
            let text = format!("{value:.precision$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            let point = if alternate && precision == 0 { "." } else { "" };
            format!("{mantissa}{point}e{sign}{exponent:0>2}")
        }
        'g' => general(value, precision, alternate),
        _ => {
            let point = if alternate && precision == 0 { "." } else { "" };
            format!("{value:.precision$}{point}")
        }
    }
}

fn integer(letter: char, value: &Object) -> Res<BigInt> {
    match (to_long(value), value) {
        (Some(integer), _) => Ok((*integer).clone()),
        (None, Object::Float(float)) => truncate(*float),
        (None, other) => {
            type_error(format!("%{letter} format: a number is required, not {}", other.type_name()))
        }
    }
}

fn character(value: &Object) -> Res<String> {
    match value {
        Object::Str(text) if text.chars() == 1 => Ok(text.as_str().to_owned()),
        Object::Str(_) => type_error("%c requires int or char"),
        other => match to_long(other) {
            None => type_error("%c requires int or char"),
            Some(code) => match code.to_u32().and_then(char::from_u32) {
                Some(c) => Ok(c.to_string()),
                None => overflow_error("%c arg not in range(0x110000)"),
            },
        },
    }
}
