//! Numbers, and the operators on all types.

use std::rc::Rc;

use num_bigint::{BigInt, Sign};
use num_traits::{FromPrimitive, One, Signed, ToPrimitive, Zero};

use crate::ast::{BinaryOp, UnaryOp};
use crate::limits::Limit;
use crate::machine::Machine;
use crate::object::Object;
use crate::percent;
use crate::stop::{OVERFLOW_ERROR, Res, Stop, ZERO_DIVISION_ERROR, overflow_error, type_error, value_error};

/// Bits that an integer may have.
const MAX_BITS: u64 = 1 << 17;

/// Whether this is 2 to the 63rd: what `-9223372036854775808` is written with.
pub(crate) fn is_least_int_negated(long: &BigInt) -> bool {
    *long == BigInt::from(1_u64 << 63)
}

/// The value of an integer literal of Python 3; none if it is too long.
pub(crate) fn parse_literal(text: &str) -> Option<BigInt> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    let (digits, radix) = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (&digits[2..], 16),
        Some("0o") => (&digits[2..], 8),
        Some("0b") => (&digits[2..], 2),
        _ => (digits.as_str(), 10),
    };
    if digits.len() as u64 > MAX_BITS / 4 {
        return None;
    }
    BigInt::parse_bytes(digits.as_bytes(), radix)
}

/// Two numbers of one type.
enum Pair {
    Int(i64, i64),
    Long(Rc<BigInt>, Rc<BigInt>),
    Float(f64, f64),
}

/// An integer as a long.
pub(crate) fn to_long(object: &Object) -> Option<Rc<BigInt>> {
    match object {
        Object::Bool(value) => Some(Rc::new(BigInt::from(u8::from(*value)))),
        Object::Int(value) => Some(Rc::new(BigInt::from(*value))),
        Object::Long(value) => Some(value.clone()),
        _ => None,
    }
}

/// A number as a float. A long that is too large for one is an error.
pub(crate) fn to_float(object: &Object) -> Res<Option<f64>> {
    Ok(match object {
        Object::Bool(value) => Some(f64::from(u8::from(*value))),
        Object::Int(value) => Some(*value as f64),
        Object::Long(value) => match value.to_f64() {
            Some(float) if float.is_finite() => Some(float),
            _ => return overflow_error("long int too large to convert to float"),
        },
        Object::Float(value) => Some(*value),
        _ => None,
    })
}

fn small(object: &Object) -> Option<i64> {
    match object {
        Object::Bool(value) => Some(i64::from(*value)),
        Object::Int(value) => Some(*value),
        _ => None,
    }
}

fn pair(left: &Object, right: &Object) -> Res<Option<Pair>> {
    if let (Some(a), Some(b)) = (small(left), small(right)) {
        return Ok(Some(Pair::Int(a, b)));
    }
    if let (Some(a), Some(b)) = (to_long(left), to_long(right)) {
        return Ok(Some(Pair::Long(a, b)));
    }
    if !matches!((left, right), (Object::Float(_), _) | (_, Object::Float(_))) {
        return Ok(None);
    }
    Ok(match (to_float(left)?, to_float(right)?) {
        (Some(a), Some(b)) => Some(Pair::Float(a, b)),
        _ => None,
    })
}

impl Machine<'_> {
    /// A long, if it is not too long.
    pub(crate) fn long(&self, value: BigInt) -> Res {
        if value.bits() > MAX_BITS {
            return Err(Stop::limit(Limit::Integer(MAX_BITS)));
        }
        self.charge(value.bits() as usize / 8)?;
        Ok(Object::Long(Rc::new(value)))
    }

    /// An int if it fits into one, as literals and most functions give it.
    pub(crate) fn integer(&self, value: BigInt) -> Res {
        value.to_i64().map_or_else(|| self.long(value), |int| Ok(Object::Int(int)))
    }

    pub(crate) fn unary(&self, op: UnaryOp, operand: &Object) -> Res {
        match (op, operand) {
            (UnaryOp::Plus, Object::Bool(value)) => Ok(Object::Int(i64::from(*value))),
            (UnaryOp::Plus, Object::Int(_) | Object::Long(_) | Object::Float(_)) => Ok(operand.clone()),
            (UnaryOp::Minus, Object::Float(value)) => Ok(Object::Float(-value)),
            (UnaryOp::Minus, Object::Long(value)) => self.long(-&**value),
            (UnaryOp::Invert, Object::Long(value)) => self.long(!&**value),
            (UnaryOp::Minus, Object::Bool(_) | Object::Int(_)) => {
                self.binary(BinaryOp::Sub, &Object::Int(0), operand)
            }
            (UnaryOp::Invert, Object::Bool(_) | Object::Int(_)) => {
                Ok(Object::Int(!small(operand).unwrap_or_default()))
            }
            _ => {
                let sign = match op {
                    UnaryOp::Plus => "unary +",
                    UnaryOp::Minus => "unary -",
                    UnaryOp::Invert | UnaryOp::Not => "unary ~",
                };
                type_error(format!("bad operand type for {sign}: '{}'", operand.type_name()))
            }
        }
    }

    pub(crate) fn binary(&self, op: BinaryOp, left: &Object, right: &Object) -> Res {
        let result = match pair(left, right)? {
            Some(Pair::Int(a, b)) => self.int_op(op, a, b)?,
            Some(Pair::Long(a, b)) => self.long_op(op, &a, &b)?,
            Some(Pair::Float(a, b)) => float_op(op, a, b)?,
            None => self.sequence_op(op, left, right)?,
        };
        match (result, left, right) {
            // Truth values combine to truth values.
            (Some(Object::Int(value)), Object::Bool(_), Object::Bool(_))
                if matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor) =>
            {
                Ok(Object::Bool(value != 0))
            }
            (Some(result), _, _) => Ok(result),
            (None, _, _) => type_error(format!(
                "unsupported operand type(s) for {}: '{}' and '{}'",
                op.symbol(),
                left.type_name(),
                right.type_name()
            )),
        }
    }

    fn int_op(&self, op: BinaryOp, a: i64, b: i64) -> Res<Option<Object>> {
        let short = match op {
            BinaryOp::Add => a.checked_add(b),
            BinaryOp::Sub => a.checked_sub(b),
            BinaryOp::Mul => a.checked_mul(b),
            BinaryOp::Div => return float_op(op, a as f64, b as f64),
            BinaryOp::Slash | BinaryOp::FloorDiv | BinaryOp::Mod if b == 0 => {
                return Err(Stop::raise(ZERO_DIVISION_ERROR, "integer division or modulo by zero"));
            }
            BinaryOp::Slash | BinaryOp::FloorDiv => {
                a.checked_div(b).map(|q| if a % b != 0 && (a < 0) != (b < 0) { q - 1 } else { q })
            }
            BinaryOp::Mod => {
                Some(a.checked_rem(b).map_or(0, |r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r }))
            }
            BinaryOp::Pow if b < 0 => return float_op(op, a as f64, b as f64),
            BinaryOp::Pow => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
            BinaryOp::ShiftLeft if (0..63).contains(&b) && (a << b) >> b == a => Some(a << b),
            BinaryOp::ShiftRight if b >= 0 => Some(a >> b.min(63)),
            BinaryOp::ShiftLeft | BinaryOp::ShiftRight => None,
            BinaryOp::Or => Some(a | b),
            BinaryOp::Xor => Some(a ^ b),
            BinaryOp::And => Some(a & b),
        };
        match short {
            Some(int) => Ok(Some(Object::Int(int))),
            None => match self.long_op(op, &BigInt::from(a), &BigInt::from(b))? {
                // What overflows is long; a shift by nothing, or 0 to a large power, is still an int.
                Some(Object::Long(long)) => match long.to_i64() {
                    Some(int) => Ok(Some(Object::Int(int))),
                    None => Ok(Some(Object::Long(long))),
                },
                other => Ok(other),
            },
        }
    }

    fn long_op(&self, op: BinaryOp, a: &BigInt, b: &BigInt) -> Res<Option<Object>> {
        let limbs = |of: &BigInt| (of.bits() / 64 + 1) as usize;
        self.step(limbs(a) * limbs(b) / 64)?;
        let zero = || Stop::raise(ZERO_DIVISION_ERROR, "long division or modulo by zero");
        let result = match op {
            BinaryOp::Add => a + b,
            BinaryOp::Sub => a - b,
            BinaryOp::Mul => {
                self.fits(a.bits() + b.bits())?;
                a * b
            }
            BinaryOp::Div => {
                return match (a.to_f64(), b.to_f64()) {
                    (Some(a), Some(b)) => float_op(op, a, b),
                    _ => overflow_error("long int too large to convert to float"),
                };
            }
            BinaryOp::Slash | BinaryOp::FloorDiv | BinaryOp::Mod if b.is_zero() => return Err(zero()),
            BinaryOp::Slash | BinaryOp::FloorDiv => div_mod(a, b).0,
            BinaryOp::Mod => div_mod(a, b).1,
            BinaryOp::Pow if b.is_negative() => {
                let float = |of: &BigInt| of.to_f64().unwrap_or(f64::INFINITY);
                return float_op(op, float(a), float(b));
            }
            BinaryOp::Pow => self.long_pow(a, b)?,
            BinaryOp::ShiftLeft | BinaryOp::ShiftRight if b.is_negative() => {
                return value_error("negative shift count");
            }
            BinaryOp::ShiftLeft if a.is_zero() => BigInt::zero(),
            BinaryOp::ShiftLeft => {
                let by = b.to_u64().unwrap_or(u64::MAX);
                self.fits(a.bits().saturating_add(by))?;
                a << by
            }
            BinaryOp::ShiftRight => a >> b.to_u64().unwrap_or(u64::MAX).min(MAX_BITS + 1),
            BinaryOp::Or => a | b,
            BinaryOp::Xor => a ^ b,
            BinaryOp::And => a & b,
        };
        self.long(result).map(Some)
    }

    fn fits(&self, bits: u64) -> Res<()> {
        if bits > MAX_BITS + 64 { Err(Stop::limit(Limit::Integer(MAX_BITS))) } else { Ok(()) }
    }

    fn long_pow(&self, base: &BigInt, exponent: &BigInt) -> Res<BigInt> {
        let Some(exponent) = exponent.to_u32() else {
            return match base.abs().is_one() || base.is_zero() {
                true if base.is_zero() || !base.is_negative() || exponent.bit(0) => Ok(base.clone()),
                true => Ok(BigInt::one()),
                false => Err(Stop::limit(Limit::Integer(MAX_BITS))),
            };
        };
        if base.bits() > 1 {
            let bits = (base.bits() - 1).saturating_mul(u64::from(exponent));
            self.fits(bits)?;
            let limbs = (bits / 64 + 1) as usize;
            self.step(limbs * limbs / 32)?;
        }
        Ok(base.pow(exponent))
    }

    /// The operators of strings, lists and sets.
    fn sequence_op(&self, op: BinaryOp, left: &Object, right: &Object) -> Res<Option<Object>> {
        Ok(Some(match (op, left, right) {
            (BinaryOp::Mod, Object::Str(template), _) => percent::format(self, template, right)?,
            (BinaryOp::Add, Object::Str(a), Object::Str(b)) => {
                self.charge(a.as_str().len() + b.as_str().len())?;
                self.charged_string([a.as_str(), b.as_str()].concat())
            }
            (BinaryOp::Add, Object::List(a), Object::List(b)) => {
                self.charge_values(a.borrow().len() + b.borrow().len())?;
                let joined = [a.borrow().as_slice(), b.borrow().as_slice()].concat();
                self.list(joined)?
            }
            (BinaryOp::Add, Object::Tuple(a), Object::Tuple(b)) => {
                self.charge_values(a.len() + b.len())?;
                self.tuple([a.as_slice(), b.as_slice()].concat())?
            }
            (BinaryOp::Add, Object::Str(_), other) => {
                return type_error(format!("cannot concatenate 'str' and '{}' objects", other.type_name()));
            }
            (BinaryOp::Add, Object::List(_) | Object::Tuple(_), other) => {
                let own = left.type_name();
                return type_error(format!(
                    "can only concatenate {own} (not \"{}\") to {own}",
                    other.type_name()
                ));
            }
            (BinaryOp::Mul, Object::Str(_) | Object::List(_) | Object::Tuple(_), times) => {
                self.repeat(left, times)?
            }
            (BinaryOp::Mul, times, Object::Str(_) | Object::List(_) | Object::Tuple(_)) => {
                self.repeat(right, times)?
            }
            (_, Object::Set(a), Object::Set(b)) => {
                let (a_items, b_items) = (a.items.borrow(), b.items.borrow());
                self.charge_values(4 * (a_items.len() + b_items.len()))?;
                let mut items = a_items.clone();
                match op {
                    BinaryOp::Or => {
                        items.extend(b_items.iter().map(|(key, item)| (key.clone(), item.clone())))
                    }
                    BinaryOp::And => items.retain(|key, _| b_items.contains_key(key)),
                    BinaryOp::Sub => items.retain(|key, _| !b_items.contains_key(key)),
                    BinaryOp::Xor => {
                        items.retain(|key, _| !b_items.contains_key(key));
                        let only = b_items.iter().filter(|(key, _)| !a_items.contains_key(*key));
                        items.extend(only.map(|(key, item)| (key.clone(), item.clone())));
                    }
                    _ => return Ok(None),
                }
                self.set(items, a.frozen)?
            }
            _ => return Ok(None),
        }))
    }

    fn repeat(&self, sequence: &Object, times: &Object) -> Res {
        let Some(long) = to_long(times) else {
            return type_error(format!("can't multiply sequence by non-int of type '{}'", times.type_name()));
        };
        let times = if long.sign() == Sign::Minus { 0 } else { long.to_usize().unwrap_or(usize::MAX) };
        match sequence {
            Object::Str(text) => {
                self.charge(text.as_str().len().saturating_mul(times))?;
                Ok(self.charged_string(text.as_str().repeat(if text.chars() == 0 { 0 } else { times })))
            }
            Object::List(list) => {
                let values = list.borrow();
                self.charge_values(values.len().saturating_mul(times))?;
                let repeated = repeated(&values, times);
                self.list(repeated)
            }
            Object::Tuple(tuple) => {
                self.charge_values(tuple.len().saturating_mul(times))?;
                self.tuple(repeated(tuple, times))
            }
            _ => type_error("can't multiply this"),
        }
    }

    pub(crate) fn div_mod_objects(&self, left: &Object, right: &Object) -> Res {
        let quotient = self.binary(BinaryOp::FloorDiv, left, right)?;
        let remainder = self.binary(BinaryOp::Mod, left, right)?;
        self.tuple(vec![quotient, remainder])
    }
}

fn repeated(values: &[Object], times: usize) -> Vec<Object> {
    let times = if values.is_empty() { 0 } else { times };
    std::iter::repeat_n(values, times).flatten().cloned().collect()
}

/// Quotient and remainder, rounded down.
fn div_mod(a: &BigInt, b: &BigInt) -> (BigInt, BigInt) {
    let (mut quotient, mut remainder) = (a / b, a % b);
    if !remainder.is_zero() && remainder.is_negative() != b.is_negative() {
        quotient -= 1;
        remainder += b;
    }
    (quotient, remainder)
}

fn float_op(op: BinaryOp, a: f64, b: f64) -> Res<Option<Object>> {
    let by_zero = |message: &str| Err(Stop::raise(ZERO_DIVISION_ERROR, message));
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Slash | BinaryOp::Div if b == 0.0 => return by_zero("float division by zero"),
        BinaryOp::FloorDiv if b == 0.0 => return by_zero("float divmod()"),
        BinaryOp::Mod if b == 0.0 => return by_zero("float modulo"),
        BinaryOp::Slash | BinaryOp::Div => a / b,
        BinaryOp::FloorDiv => float_div_mod(a, b).0,
        BinaryOp::Mod => float_div_mod(a, b).1,
        BinaryOp::Pow => float_pow(a, b)?,
        _ => return Ok(None),
    };
    Ok(Some(Object::Float(result)))
}

fn float_div_mod(a: f64, b: f64) -> (f64, f64) {
    let mut remainder = a % b;
    let mut quotient = (a - remainder) / b;
    if remainder != 0.0 {
        if (b < 0.0) != (remainder < 0.0) {
            remainder += b;
            quotient -= 1.0;
        }
    } else {
        remainder = 0.0_f64.copysign(b);
    }
    let floor = quotient.floor();
    let quotient = if quotient - floor > 0.5 { floor + 1.0 } else { floor };
    (if quotient == 0.0 { 0.0_f64.copysign(a / b) } else { quotient }, remainder)
}

fn float_pow(a: f64, b: f64) -> Res<f64> {
    if a == 0.0 && b < 0.0 {
        return Err(Stop::raise(ZERO_DIVISION_ERROR, "0.0 cannot be raised to a negative power"));
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 {
        return value_error("negative number cannot be raised to a fractional power");
    }
    let power = a.powf(b);
    if power.is_infinite() && a.is_finite() && b.is_finite() {
        return Err(Stop::raise(OVERFLOW_ERROR, "(34, 'Numerical result out of range')"));
    }
    Ok(power)
}

/// A float's integer part.
pub(crate) fn truncate(value: f64) -> Res<BigInt> {
    match BigInt::from_f64(value.trunc()) {
        Some(integer) => Ok(integer),
        None if value.is_nan() => value_error("cannot convert float NaN to integer"),
        None => overflow_error("cannot convert float infinity to integer"),
    }
}
