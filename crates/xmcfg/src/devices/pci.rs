//! PCI devices of the machine: `[DDDD:]BB:DD.F[@VS][,opt=val...]`, hexadecimal.
//!
//! F is a function, a list of them and ranges, or `physical=virtual` pairs of those; `*` are all, and only the domain that has the
//! device can tell which these are, so it stays a star.

use super::DeviceError;
use crate::pyhash::dictionary;
use crate::sxp::Sxp;

/// The one device form for all of them; none if there are none.
///
/// # Errors
/// As [`DeviceError`] has them for PCI.
pub(super) fn form(texts: &[String]) -> Result<Option<Sxp>, DeviceError> {
    let mut list: Vec<Sxp> = Vec::new();
    for text in texts {
        list.extend(devices(text)?);
    }
    Ok((!list.is_empty()).then(|| Sxp::List([vec!["pci".into()], list].concat())))
}

/// A function of the machine, and which one the guest sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    All,
    One { physical: u32, seen: u32 },
}

fn devices(text: &str) -> Result<Vec<Sxp>, DeviceError> {
    let wrong = || DeviceError::Pci(text.into());
    let mut rest = text.trim();
    let number = |digits: &str, most: u32| {
        let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|&number| is_hex && number <= most)
    };
    // Numbers up to the functions; `,` may stand for each of their separators.
    let mut numbers = Vec::new();
    while numbers.len() < 3 {
        let Some(at) = rest.find([':', '.', ',']) else { break };
        let most = if numbers.is_empty() { 0xffff } else { 0xff };
        let Some(number) = number(&rest[..at], most) else { break };
        numbers.push(number);
        let is_last = rest[at..].starts_with('.') || numbers.len() == 3;
        rest = &rest[at + 1..];
        // Without a domain, commas alone leave open where the functions begin: at the third number, which is one digit.
        if is_last || (numbers.len() == 2 && !rest.contains([':', '.']) && comma_functions(rest)) {
            break;
        }
    }
    let (domain, bus, slot) = match *numbers.as_slice() {
        [bus, slot] => (0, bus, slot),
        [domain, bus, slot] => (domain, bus, slot),
        _ => return Err(wrong()),
    };
    if bus > 0xff || slot > 0x1f {
        return Err(wrong());
    }
    let (functions, rest) = functions(rest).ok_or_else(wrong)?;
    let (slot_seen, rest) = match rest.strip_prefix('@') {
        None => (None, rest),
        Some(rest) => {
            let end = rest.find(',').unwrap_or(rest.len());
            (Some(number(&rest[..end], 0x1f).ok_or_else(wrong)?), &rest[end..])
        }
    };
    let options = options(rest, text)?;
    check(&functions, text)?;
    let form = |function: &Function| {
        let (name, seen) = match function {
            Function::All => ("*".to_owned(), 0),
            Function::One { physical, seen } => (physical.to_string(), *seen),
        };
        let devfn = slot_seen.map_or(0x100 | seen, |slot| slot * 8 + seen);
        let hex_name = if name == "*" { name.clone() } else { format!("0x{name}") };
        let mut pairs: Vec<(String, Sxp)> = [
            ("domain", format!("{domain:#06x}")),
            ("bus", format!("{bus:#04x}")),
            ("slot", format!("{slot:#04x}")),
            ("func", hex_name),
            ("vdevfn", format!("{devfn:#04x}")),
            ("key", format!("{domain:04x}:{bus:02x}:{slot:02x}.{name}")),
        ]
        .map(|(key, value)| (key.to_owned(), value.into()))
        .into();
        if !options.is_empty() {
            let options =
                options.iter().map(|(key, value)| Sxp::pair(key, value.as_str())).collect::<Vec<_>>();
            pairs.push(("opts".into(), options.into()));
        }
        let items = dictionary(pairs).into_iter().map(|(key, value)| match value {
            Sxp::List(options) => Sxp::List([vec![key.into()], options].concat()),
            value => Sxp::pair(&key, value),
        });
        Sxp::List(std::iter::once("dev".into()).chain(items).collect())
    };
    Ok(functions.iter().map(form).collect())
}

/// Whether a text that follows a comma begins with functions and not with a slot of two digits.
fn comma_functions(rest: &str) -> bool {
    let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
    rest.starts_with('*') || (end == 1 && !rest[end..].starts_with(','))
}

/// Reads functions; returns what follows them.
fn functions(text: &str) -> Option<(Vec<Function>, &str)> {
    if let Some(rest) = text.strip_prefix('*') {
        return Some((vec![Function::All], rest));
    }
    let mut found = Vec::new();
    let mut rest = text;
    let mut is_mapped = false;
    loop {
        let (physical, after) = range(rest)?;
        rest = after;
        match rest.strip_prefix('=') {
            Some(after) => {
                let (seen, after) = range(after)?;
                if seen.len() != physical.len() {
                    return None;
                }
                is_mapped = true;
                rest = after;
                found.extend(physical.into_iter().zip(seen));
            }
            None => found.extend(physical.into_iter().map(|function| (function, function))),
        }
        match rest.strip_prefix(',') {
            Some(more) if more.starts_with(|c: char| c.is_ascii_digit()) => rest = more,
            _ => break,
        }
    }
    // One function alone is the guest's first.
    if let ([(_, seen)], false) = (found.as_mut_slice(), is_mapped) {
        *seen = 0;
    }
    Some((found.into_iter().map(|(physical, seen)| Function::One { physical, seen }).collect(), rest))
}

/// `3` or `0-3`.
fn range(text: &str) -> Option<(Vec<u32>, &str)> {
    let digit = |text: &str| text.chars().next()?.to_digit(8);
    let first = digit(text)?;
    match text[1..].strip_prefix('-') {
        None => Some((vec![first], &text[1..])),
        Some(rest) => {
            let last = digit(rest).filter(|last| *last >= first)?;
            Some(((first..=last).collect(), &rest[1..]))
        }
    }
}

fn options(rest: &str, text: &str) -> Result<Vec<(String, String)>, DeviceError> {
    let Some(list) = rest.strip_prefix(',') else {
        return if rest.is_empty() { Ok(Vec::new()) } else { Err(DeviceError::Pci(text.into())) };
    };
    list.split(',')
        .map(|option| {
            let (key, value) = option.split_once('=').ok_or_else(|| DeviceError::Pci(text.into()))?;
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            let is_known = matches!(key.as_str(), "msitranslate" | "power_mgmt");
            if is_known && matches!(value.as_str(), "0" | "1" | "yes" | "no") {
                Ok((key, value))
            } else {
                Err(DeviceError::PciOption { key, value, text: text.into() })
            }
        })
        .collect()
}

fn check(functions: &[Function], text: &str) -> Result<(), DeviceError> {
    let pairs: Vec<(u32, u32)> = functions
        .iter()
        .filter_map(|function| match function {
            Function::One { physical, seen } => Some((*physical, *seen)),
            Function::All => None,
        })
        .collect();
    let is_twice = |number: usize, (physical, seen): &(u32, u32)| {
        pairs[..number].iter().any(|(p, s)| p == physical || s == seen)
    };
    if pairs.iter().enumerate().any(|(number, pair)| is_twice(number, pair)) {
        return Err(DeviceError::PciTwice(text.into()));
    }
    if !pairs.is_empty() && pairs.iter().all(|(_, seen)| *seen != 0) {
        return Err(DeviceError::PciFirst(text.into()));
    }
    Ok(())
}
