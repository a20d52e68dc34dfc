//! `xm mem-set` and `xm mem-max`: what a domain has of memory, and the most that it may have.

use proto::Endpoint;
use proto::domain::DomainRef;
use proto::endpoints::{DomainSetMaxMemory, DomainSetMemory};
use proto::error::DomainError;
use proto::resize::{DomainMemory, MemoryWish, ResizeError};
use serde_json::json;

use super::Context;
use super::failure::{Failure, INVALID_ARGUMENT, two_words};

/// What xm called the two numbers, from xend's point of view.
const TARGET_ABOVE_MAXIMUM: &str =
    "Invalid Configuration: memory_dynamic_max must be less than or equal to memory_static_max";

/// Runs `xm mem-set`.
///
/// # Errors
/// No such domain, domain 0, no number, more than the domain may have or the machine can give.
pub fn set(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    change::<DomainSetMemory>(context, args, "dynamic")
}

/// Runs `xm mem-max`.
///
/// # Errors
/// No such domain, domain 0, no number, less than the domain was told to have.
pub fn max(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    change::<DomainSetMaxMemory>(context, args, "static")
}

/// `which`: xend's word for the number that is set.
fn change<E>(context: &mut Context<'_>, args: &[String], which: &str) -> Result<(), Failure>
where
    E: Endpoint<Request = MemoryWish, Response = Result<DomainMemory, ResizeError>>,
{
    let [name, amount] = two_words(args);
    if has_unknown_unit(amount) {
        // xm said so on stdout, and went on.
        if context.json {
            context.out.complain(UNKNOWN_UNIT);
        } else {
            context.out.line(UNKNOWN_UNIT)?;
        }
    }
    let kib = kib(amount).ok_or_else(|| Failure::WithUsage(INVALID_ARGUMENT.into()))?;
    let wish = MemoryWish { domain: DomainRef(name.into()), kib };
    let memory = context.connect()?.call::<E>(&wish)?.map_err(|error| refusal(name, which, error))?;
    if context.json {
        context.out.json(&json!({
            "domain": name,
            "current_kib": memory.current_kib,
            "target_kib": memory.target_kib,
            "max_kib": memory.most_kib,
        }))?;
    }
    Ok(())
}

fn refusal(name: &str, which: &str, error: ResizeError) -> Failure {
    let mib = |kib: u64| kib / 1024;
    match error {
        ResizeError::Domain(DomainError::Privileged) => Failure::WithUsage(
            "the memory of the control domain is fixed at its start; give it another dom0_mem= on Xen's command line \
             (lab up --dom0-memory)"
                .into(),
        ),
        ResizeError::Domain(error) => Failure::domain(name, "resize", error),
        ResizeError::Foreign => Failure::foreign(name),
        ResizeError::Zero => {
            Failure::WithUsage(format!("Invalid Configuration: memory_{which}_max must be greater than zero"))
        }
        ResizeError::AboveMaximum { most } => Failure::Hinted {
            text: TARGET_ABOVE_MAXIMUM.into(),
            hint: format!("domain '{name}' may have {} MiB; raise that with 'xm mem-max'", mib(most)),
        },
        ResizeError::BelowTarget { target_kib } => Failure::Hinted {
            text: TARGET_ABOVE_MAXIMUM.into(),
            hint: format!(
                "domain '{name}' was told to have {} MiB; lower that with 'xm mem-set'",
                mib(target_kib)
            ),
        },
        ResizeError::TooMuch { most_kib } => Failure::WithUsage(format!(
            "Invalid Configuration: memory_static_max must be less than or equal to {} MiB",
            mib(most_kib)
        )),
        ResizeError::NotEnoughMemory { needed_kib, free_kib } => Failure::WithUsage(format!(
            "Not enough free memory and enable-dom0-ballooning is False, so I cannot release any more.  I need \
             {needed_kib} KiB but only have {free_kib}."
        )),
    }
}

const UNKNOWN_UNIT: &str = "ignoring unknown unit";

/// A letter at the end that is no unit: the number in front of it are bytes.
fn has_unknown_unit(amount: &str) -> bool {
    amount.chars().last().is_some_and(|letter| letter.is_alphabetic() && !"gGmMkK".contains(letter))
}

/// A number of MiB, or with a unit, rounded down to whole MiB as xm did; in KiB. Less than nothing is nothing.
fn kib(amount: &str) -> Option<u64> {
    let (digits, bytes): (&str, i128) = match amount.chars().last()? {
        'g' | 'G' => (&amount[..amount.len() - 1], 1 << 30),
        'm' | 'M' => (&amount[..amount.len() - 1], 1 << 20),
        'k' | 'K' => (&amount[..amount.len() - 1], 1 << 10),
        letter if letter.is_alphabetic() => (&amount[..amount.len() - letter.len_utf8()], 1),
        _ => (amount, 1 << 20),
    };
    let number: i64 = digits.trim().parse().ok()?;
    let mib = (i128::from(number) * bytes) >> 20;
    u64::try_from(mib.max(0)).ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(which: &str, error: ResizeError) -> String {
        match refusal("web", which, error) {
            Failure::WithUsage(text) | Failure::Hinted { text, .. } => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn refusals_are_xends_to_the_byte() {
        let above =
            "Invalid Configuration: memory_dynamic_max must be less than or equal to memory_static_max";
        for (which, error, text) in [
            (
                "dynamic",
                ResizeError::Zero,
                "Invalid Configuration: memory_dynamic_max must be greater than zero",
            ),
            (
                "static",
                ResizeError::Zero,
                "Invalid Configuration: memory_static_max must be greater than zero",
            ),
            ("dynamic", ResizeError::AboveMaximum { most: 65536 }, above),
            ("static", ResizeError::BelowTarget { target_kib: 65536 }, above),
            (
                "dynamic",
                ResizeError::NotEnoughMemory { needed_kib: 8192, free_kib: 100 },
                "Not enough free memory and enable-dom0-ballooning is False, so I cannot release any more.  I need 8192 \
                 KiB but only have 100.",
            ),
            (
                "static",
                ResizeError::TooMuch { most_kib: 1 << 34 },
                "Invalid Configuration: memory_static_max must be less than or equal to 16777216 MiB",
            ),
            ("dynamic", DomainError::NotStarted.into(), "Domain 'web' is not started"),
        ] {
            assert_eq!(said(which, error), text);
        }
        let Failure::Hinted { hint, .. } =
            refusal("web", "dynamic", ResizeError::AboveMaximum { most: 65536 })
        else {
            panic!("programs are told the numbers");
        };
        assert_eq!(hint, "domain 'web' may have 64 MiB; raise that with 'xm mem-max'");
    }

    #[test]
    fn memory_is_read_in_mib_unless_a_unit_is_given() {
        const MIB: u64 = 1024;
        for (text, expected) in [
            ("128", Some(128 * MIB)),
            ("128m", Some(128 * MIB)),
            ("2G", Some(2048 * MIB)),
            ("131072K", Some(128 * MIB)),
            ("1000k", Some(0)),
            ("1048576x", Some(MIB)),
            ("100x", Some(0)),
            (" 64 ", Some(64 * MIB)),
            ("-5", Some(0)),
            ("-5k", Some(0)),
            ("0", Some(0)),
            ("", None),
            ("m", None),
            ("x", None),
            ("é", None),
            ("64é", Some(0)),
            ("1.5", None),
            ("0x40", None),
            ("12 34", None),
            ("9223372036854775807", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(kib(text), expected, "{text}");
        }
        assert!(has_unknown_unit("5x") && has_unknown_unit("abc"));
        assert!(!has_unknown_unit("5K") && !has_unknown_unit("5") && !has_unknown_unit(""));
    }
}
