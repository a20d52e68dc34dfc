//! `xm vcpu-pin`: the CPUs that a vCPU may run on.

use proto::domain::DomainRef;
use proto::endpoints::VcpuPin;
use proto::error::DomainError;
use proto::vcpu::{CpuSet, PinError, PinRequest};
use serde_json::json;

use super::Context;
use super::failure::{Failure, INVALID_ARGUMENT, xen_text};
use super::getopt::{Spec, parse};
use xmcfg::cpu_list::{self, brackets};

/// Options, as usage shows them.
pub const OPTIONS: &[(&str, &str)] = &[(
    "--soft=<CPUs|all>",
    "The processors that it is to prefer among those. Without it, they stay what they are.",
)];

const SPEC: Spec = Spec { short: &[], long: &[("soft", true)] };

/// Runs the command.
///
/// # Errors
/// No such domain, a malformed list, no such vCPU or CPU.
pub fn run(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    let [name, vcpu, cpus] = &parsed.words[..] else {
        // Options are ours, so they are not counted.
        return Err(Failure::WithUsage("'xm vcpu-pin' requires 3 arguments.\n".into()));
    };
    let invalid = || Failure::WithUsage(INVALID_ARGUMENT.into());
    let list = |text: &str| cpu_list::parse(text).map_err(|_| invalid());
    let which = match vcpu.as_str() {
        word if word.eq_ignore_ascii_case("all") => None,
        number => Some(number.trim().parse::<u32>().map_err(|_| invalid())?),
    };
    let hard = list(cpus)?;
    let soft = parsed.value(&["soft"]).map(list).transpose()?;
    if hard.is_empty() {
        return Err(invalid());
    }
    let request =
        PinRequest { domain: DomainRef(name.clone()), vcpu: which, hard: hard.clone(), soft: soft.clone() };
    context.connect()?.call::<VcpuPin>(&request)?.map_err(|error| refusal(name, &hard, error))?;
    if context.json {
        let cpus = |set: &CpuSet| set.iter().collect::<Vec<u32>>();
        context.out.json(&json!({
            "domain": name,
            "vcpu": which,
            "affinity": cpus(&hard),
            "affinity_soft": soft.as_ref().map(cpus),
        }))?;
    }
    Ok(())
}

/// xend's sentence, with a reason that says what there is.
fn refusal(name: &str, hard: &CpuSet, error: PinError) -> Failure {
    let (vcpu, why) = match error {
        PinError::Domain(DomainError::Xen(error)) => return Failure::xen(&error),
        PinError::Domain(error) => return Failure::domain(name, "pin", error),
        PinError::NoVcpu { vcpu, vcpus } => {
            (vcpu, format!("the domain has no such vcpu; its last one is {}", vcpus.saturating_sub(1)))
        }
        PinError::NoCpu { vcpu, cpus } => {
            (vcpu, format!("none of these is there; the machine has cpus {cpus}"))
        }
        PinError::Xen { vcpu, error } => (vcpu, xen_text(&error)),
    };
    Failure::WithUsage(format!("Cannot pin vcpu: {vcpu} to cpu: {} - {why}", brackets(hard)))
}

#[cfg(test)]
mod tests {
    use proto::error::XenError;

    use super::*;

    #[test]
    fn a_pin_that_cannot_be_names_the_vcpu_the_cpus_and_the_reason() {
        let hard: CpuSet = [2, 3].into_iter().collect();
        let cpus: CpuSet = [0, 1].into_iter().collect();
        for (error, text) in [
            (
                PinError::NoVcpu { vcpu: 9, vcpus: 2 },
                "Cannot pin vcpu: 9 to cpu: [2, 3] - the domain has no such vcpu; its last one is 1",
            ),
            (
                PinError::NoCpu { vcpu: 0, cpus },
                "Cannot pin vcpu: 0 to cpu: [2, 3] - none of these is there; the machine has cpus 0-1",
            ),
            (
                PinError::Xen {
                    vcpu: 1,
                    error: XenError { call: "XEN_DOMCTL_setvcpuaffinity".into(), errno: 22 },
                },
                "Cannot pin vcpu: 1 to cpu: [2, 3] - XEN_DOMCTL_setvcpuaffinity: Invalid argument (errno 22)",
            ),
        ] {
            match refusal("web", &hard, error) {
                Failure::WithUsage(said) => assert_eq!(said, text),
                other => panic!("{other:?}"),
            }
        }
    }
}
