//! `format`, `str.format` and f-strings: the small language of format specifications.

use std::rc::Rc;

use num_bigint::{BigInt, Sign};

use crate::args::Args;
use crate::machine::Machine;
use crate::number::{to_float, to_long};
use crate::object::Object;
use crate::percent::{MAX_PRECISION, float_digits};
use crate::show::{general, special};
use crate::stop::{INDEX_ERROR, KEY_ERROR, Res, Stop, type_error, value_error};
use crate::text::Text;

/// `[[fill]align][sign][#][0][width][,][.precision][type]`
#[derive(Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    comma: bool,
    precision: Option<usize>,
    letter: Option<char>,
}

/// Formats one value as a specification says.
pub(crate) fn format(machine: &Machine<'_>, value: &Object, spec: &str) -> Res {
    if spec.is_empty() {
        return machine.str_object(value);
    }
    let spec = Spec::parse(spec)?;
    machine.charge(spec.width.saturating_mul(4))?;
    let text = match value {
        Object::Bool(_) if spec.letter.is_none() => spec.text(&machine.str(value)?),
        Object::Float(float) => spec.float(machine, *float)?,
        Object::Int(_) | Object::Long(_) | Object::Bool(_) => spec.integer(machine, value)?,
        _ => {
            if let Some(letter) = spec.letter.filter(|letter| *letter != 's') {
                return value_error(format!(
                    "Unknown format code '{letter}' for object of type '{}'",
                    value.type_name()
                ));
            }
            if spec.sign.is_some() {
                return value_error("Sign not allowed in string format specifier");
            }
            spec.text(&machine.str(value)?)
        }
    };
    machine.string(text)
}

impl Spec {
    fn parse(text: &str) -> Res<Self> {
        let mut spec = Self::default();
        let chars: Vec<char> = text.chars().collect();
        let is_align = |c: Option<&char>| matches!(c, Some('<' | '>' | '=' | '^'));
        let mut at = 0;
        if is_align(chars.get(1)) {
            spec.fill = Some(chars[0]);
            spec.align = Some(chars[1]);
            at = 2;
        } else if is_align(chars.first()) {
            spec.align = Some(chars[0]);
            at = 1;
        }
        let mut next = |wanted: &[char]| {
            let found = chars.get(at).copied().filter(|c| wanted.contains(c));
            at += usize::from(found.is_some());
            found
        };
        spec.sign = next(&['+', '-', ' ']);
        spec.alternate = next(&['#']).is_some();
        if next(&['0']).is_some() && spec.align.is_none() {
            spec.fill = Some('0');
            spec.align = Some('=');
        }
        let digits = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
        while let Some(digit) = next(&digits) {
            spec.width = add_digit(spec.width, digit)?;
        }
        spec.comma = next(&[',']).is_some();
        if next(&['.']).is_some() {
            let Some(first) = next(&digits) else { return value_error("Format specifier missing precision") };
            let mut precision = add_digit(0, first)?;
            while let Some(digit) = next(&digits) {
                precision = add_digit(precision, digit)?;
            }
            spec.precision = Some(precision);
        }
        let rest = &chars[at..];
        match rest {
            [] => {}
            [letter] => spec.letter = Some(*letter),
            _ => return value_error("Invalid conversion specification"),
        }
        Ok(spec)
    }

    fn text(&self, text: &str) -> String {
        let text: String = match self.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.to_owned(),
        };
        self.pad("", &text, '<')
    }

    fn integer(&self, machine: &Machine<'_>, value: &Object) -> Res<String> {
        let Some(integer) = to_long(value) else { return type_error("an integer is required") };
        let letter = self.letter.unwrap_or('d');
        if matches!(letter, 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') {
            return self.float(machine, to_float(value)?.unwrap_or_default());
        }
        if self.precision.is_some() {
            return value_error("Precision not allowed in integer format specifier");
        }
        let (radix, prefix) = match letter {
            'd' | 'n' => (10, ""),
            'b' => (2, "0b"),
            'o' => (8, "0o"),
            'x' => (16, "0x"),
            'X' => (16, "0X"),
            'c' => {
                let code = num_traits::ToPrimitive::to_u32(&*integer).and_then(char::from_u32);
                let Some(c) = code else { return value_error("%c arg not in range(0x110000)") };
                return Ok(self.pad("", &c.to_string(), '<'));
            }
            _ => return unknown(letter, value),
        };
        machine.step((integer.bits() / 64).pow(2) as usize / 64)?;
        let mut digits = digits_of(&integer, radix);
        machine.charge(digits.len())?;
        if letter == 'X' {
            digits.make_ascii_uppercase();
        }
        if self.comma {
            digits = with_commas(&digits);
        }
        let prefix = if self.alternate { prefix } else { "" };
        Ok(self.pad(&(self.sign(integer.sign() == Sign::Minus) + prefix), &digits, '>'))
    }

    fn float(&self, machine: &Machine<'_>, value: f64) -> Res<String> {
        let letter = self.letter.unwrap_or(' ');
        if !matches!(letter, ' ' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'n' | '%') {
            return unknown(letter, &Object::Float(value));
        }
        let precision = self.precision.unwrap_or(6).min(MAX_PRECISION);
        machine.charge(precision + 320)?;
        let magnitude = if letter == '%' { value.abs() * 100.0 } else { value.abs() };
        let mut digits = match letter {
            _ if !magnitude.is_finite() => special(magnitude, false),
            ' ' => match self.precision {
                None => crate::show::float_str(magnitude),
                Some(precision) => general(magnitude, precision, false),
            },
            'n' => general(magnitude, precision, false),
            '%' => float_digits('f', magnitude, precision, false),
            _ => float_digits(letter, magnitude, precision, self.alternate),
        };
        if letter.is_ascii_uppercase() {
            digits.make_ascii_uppercase();
        }
        if self.comma {
            let at = digits.find(['.', 'e', 'E']).unwrap_or(digits.len());
            digits = with_commas(&digits[..at]) + &digits[at..];
        }
        if letter == '%' {
            digits.push('%');
        }
        Ok(self.pad(&self.sign(value.is_sign_negative() && !value.is_nan()), &digits, '>'))
    }

    fn sign(&self, negative: bool) -> String {
        match (negative, self.sign) {
            (true, _) => "-".to_owned(),
            (false, Some('+')) => "+".to_owned(),
            (false, Some(' ')) => " ".to_owned(),
            _ => String::new(),
        }
    }

    fn pad(&self, sign: &str, text: &str, align: char) -> String {
        let missing = self.width.saturating_sub(sign.chars().count() + text.chars().count());
        let fill = |count: usize| self.fill.unwrap_or(' ').to_string().repeat(count);
        match self.align.unwrap_or(align) {
            '<' => format!("{sign}{text}{}", fill(missing)),
            '^' => format!("{}{sign}{text}{}", fill(missing / 2), fill(missing - missing / 2)),
            '=' => format!("{sign}{}{text}", fill(missing)),
            _ => format!("{}{sign}{text}", fill(missing)),
        }
    }
}

fn add_digit(number: usize, digit: char) -> Res<usize> {
    let number = number * 10 + digit.to_digit(10).unwrap_or_default() as usize;
    if number > i32::MAX as usize {
        value_error("Too many decimal digits in format string")
    } else {
        Ok(number)
    }
}

fn unknown<T>(letter: char, value: &Object) -> Res<T> {
    value_error(format!("Unknown format code '{letter}' for object of type '{}'", value.type_name()))
}

fn digits_of(integer: &BigInt, radix: u32) -> String {
    integer.magnitude().to_str_radix(radix)
}

fn with_commas(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `template.format(..)`
pub(crate) fn format_template(machine: &Machine<'_>, template: &str, args: &Args) -> Res {
    let mut fields = Fields { machine, args, next: 0 };
    let out = fields.template(template, 2)?;
    machine.string(out)
}

struct Fields<'a> {
    machine: &'a Machine<'a>,
    args: &'a Args,
    /// The number of the next `{}`.
    next: usize,
}

impl Fields<'_> {
    fn template(&mut self, template: &str, levels: usize) -> Res<String> {
        self.machine.charge(template.len())?;
        if levels == 0 {
            return value_error("Max string recursion exceeded");
        }
        let mut out = String::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let brace = rest.as_bytes()[at];
            rest = &rest[at + 1..];
            if rest.as_bytes().first() == Some(&brace) {
                out.push(char::from(brace));
                rest = &rest[1..];
                continue;
            }
            if brace == b'}' {
                return value_error("Single '}' encountered in format string");
            }
            let Some(end) = closing(rest) else {
                return value_error("Single '{' encountered in format string");
            };
            let part = self.field(&rest[..end], levels)?;
            self.machine.charge(part.len())?;
            out.push_str(&part);
            rest = &rest[end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }

    /// `name!conversion:spec`
    fn field(&mut self, field: &str, levels: usize) -> Res<String> {
        let name_end = field.find(['!', ':']).unwrap_or(field.len());
        let (name, rest) = field.split_at(name_end);
        let value = self.value(name)?;
        let (value, spec) = match rest.strip_prefix('!') {
            None => (value, rest.strip_prefix(':').unwrap_or("")),
            Some(rest) => {
                let (conversion, spec) = rest.split_once(':').unwrap_or((rest, ""));
                let value = match conversion {
                    "s" => self.machine.str_object(&value)?,
                    "r" | "a" => self.machine.repr_object(&value)?,
                    _ => return value_error(format!("Unknown conversion specifier {conversion}")),
                };
                (value, spec)
            }
        };
        let spec = if spec.contains('{') { self.template(spec, levels - 1)? } else { spec.to_owned() };
        let Object::Str(text) = format(self.machine, &value, &spec)? else { return Ok(String::new()) };
        Ok(text.as_str().to_owned())
    }

    /// `0.attribute[index]`
    fn value(&mut self, path: &str) -> Res {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (first, mut rest) = path.split_at(end);
        let mut value = if first.is_empty() {
            self.next += 1;
            self.positional(self.next - 1)?
        } else if let Ok(number) = first.parse::<usize>() {
            self.positional(number)?
        } else {
            let found = self.args.keywords.iter().find(|(name, _)| name.as_str() == first);
            match found {
                Some((_, value)) => value.clone(),
                None => return Err(Stop::raise(KEY_ERROR, first)),
            }
        };
        while !rest.is_empty() {
            self.machine.step(1)?;
            if let Some(attribute) = rest.strip_prefix('.') {
                let end = attribute.find(['.', '[']).unwrap_or(attribute.len());
                value = self.machine.attribute(&value, &Rc::new(Text::new(&attribute[..end])))?;
                rest = &attribute[end..];
            } else {
                let Some((index, after)) = rest[1..].split_once(']') else {
                    return value_error("Missing ']' in format string");
                };
                let index = match index.parse::<i64>() {
                    Ok(number) => Object::Int(number),
                    Err(_) => Object::text(index),
                };
                value = self.machine.index(&value, &index)?;
                rest = after;
                if !rest.is_empty() && !rest.starts_with(['.', '[']) {
                    return value_error("Only '.' or '[' may follow ']' in format field specifier");
                }
            }
        }
        Ok(value)
    }

    fn positional(&self, at: usize) -> Res {
        self.args.get(at).cloned().ok_or_else(|| Stop::raise(INDEX_ERROR, "tuple index out of range"))
    }
}

/// Where the brace closes that was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}
