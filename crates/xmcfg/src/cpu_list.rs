//! Lists of CPUs as xm took them: `0-3,5,^1`, from left to right.

use proto::vcpu::{CpuSet, MAX_CPU};

/// What `all` stands for: xm knew no more CPUs.
const ALL: std::ops::RangeInclusive<u32> = 0..=63;

/// The list is malformed, or has a CPU that no machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads a list, or the word `all`. A range whose end is before its start is empty, as in xm.
///
/// # Errors
/// [`Malformed`].
pub fn parse(text: &str) -> Result<CpuSet, Malformed> {
    if text == "all" {
        return Ok(ALL.collect());
    }
    let mut set = CpuSet::default();
    for item in text.split(',').map(str::trim) {
        if let Some((first, last)) = item.split_once('-') {
            for cpu in number(first)?..=number(last)? {
                set.insert(cpu);
            }
        } else if let Some(cpu) = item.strip_prefix('^') {
            set.remove(number(cpu)?);
        } else {
            set.insert(number(item)?);
        }
    }
    Ok(set)
}

fn number(text: &str) -> Result<u32, Malformed> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if is_number { text.parse().ok() } else { None };
    number.filter(|&cpu| cpu <= MAX_CPU).ok_or(Malformed)
}

/// A set as xm printed it in errors: `[0, 1]`.
pub fn brackets(set: &CpuSet) -> String {
    let cpus: Vec<String> = set.iter().map(|cpu| cpu.to_string()).collect();
    format!("[{}]", cpus.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_from_left_to_right() {
        for (text, cpus) in [
            ("0", "[0]"),
            ("0-3,^1", "[0, 2, 3]"),
            ("^1,0-3", "[0, 1, 2, 3]"),
            ("5,1-2,1", "[1, 2, 5]"),
            (" 1 , 2 - 3 ", "[1, 2, 3]"),
            ("3-1", "[]"),
            ("0,^0", "[]"),
            ("4095", "[4095]"),
        ] {
            assert_eq!(parse(text).map(|set| brackets(&set)), Ok(cpus.into()), "{text}");
        }
        let all = parse("all").unwrap();
        assert_eq!((all.to_string().as_str(), all.has(64)), ("0-63", false));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [
            "",
            ",",
            "0,",
            "a",
            "-1",
            "1-",
            "1-2-3",
            "^",
            "^1-2",
            "0x1",
            "1.5",
            "+1",
            "4096",
            "0-4294967296",
            "ALL",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text), Err(Malformed), "{text}");
        }
    }
}
