//! Values of variables: what a script or the command line set.

use crate::sxp::{Sxp, python_quoted};

/// A value as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text, in single or double quotes.
    Text(String),
    /// A whole number, decimal or `0x` hexadecimal.
    Int(i64),
    /// A number with a point.
    Float(f64),
    /// A list of values.
    List(Vec<Value>),
}

impl Value {
    /// The value as Python's `str` gives it, which is how xm handed it on.
    pub fn text(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => format!("{number:?}"),
            Value::List(_) => self.repr(),
        }
    }
}

impl From<&Value> for Sxp {
    fn from(value: &Value) -> Sxp {
        match value {
            Value::Text(text) => Sxp::Text(text.clone()),
            Value::Int(number) => Sxp::Int(*number),
            Value::Float(number) => Sxp::Float(*number),
            Value::List(items) => Sxp::List(items.iter().map(Sxp::from).collect()),
        }
    }
}

/// A whole number, decimal or `0x` hexadecimal, as Python writes it.
pub fn parse_int(word: &str) -> Option<i64> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16).ok()?,
        // Python 2 took 0755 as octal, Python 3 refuses it: neither is guessed.
        None if digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|b| b != b'0') => {
            return None;
        }
        None => digits.parse().ok()?,
    };
    Some(sign * number)
}

/// What Python's `int` makes of a text: decimal, with blanks around it and a sign, and what Python's literals write in hexadecimal.
pub fn python_int(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.trim_start_matches(['+', '-']);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        parse_int(text)
    }
}

impl Value {
    /// The whole number that it is, or that its text is.
    pub fn number(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::Text(text) => python_int(text),
            Value::Float(_) | Value::List(_) => None,
        }
    }

    /// The value as Python's `repr` gives it.
    pub fn repr(&self) -> String {
        match self {
            Value::Text(text) => python_quoted(text),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(Value::repr).collect();
                format!("[{}]", items.join(", "))
            }
            number => number.text(),
        }
    }
}
