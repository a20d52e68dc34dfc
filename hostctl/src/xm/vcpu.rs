//! `xm vcpu-set` and `xm vcpu-list`: how many vCPUs a domain has online, and what each does.

use proto::domain::DomainRef;
use proto::endpoints::{DomainSetVcpus, VcpuList};
use proto::error::DomainError;
use proto::resize::{ResizeError, VcpuWish};
use proto::vcpu::{CpuSet, DomainVcpus, VcpuInfo, VcpuListError, VcpuListing, VcpuQuery};
use serde_json::{Value, json};

use super::Context;
use super::failure::{Failure, INVALID_ARGUMENT, two_words};
use super::getopt::{Spec, parse};

/// Runs `xm vcpu-set`.
///
/// # Errors
/// No such domain, no number, none, more than the domain may have.
pub fn set(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let [name, count] = two_words(args);
    let count: i64 = count.trim().parse().map_err(|_| Failure::WithUsage(INVALID_ARGUMENT.into()))?;
    // Less than nothing is refused as nothing is, and more than there can be as too much.
    let count = u32::try_from(count.max(0)).unwrap_or(u32::MAX);
    let wish = VcpuWish { domain: DomainRef(name.into()), count };
    let vcpus =
        context.connect()?.call::<DomainSetVcpus>(&wish)?.map_err(|error| set_refusal(name, error))?;
    if context.json {
        context.out.json(&json!({
            "domain": name,
            "online": vcpus.online,
            "target": vcpus.target,
            "max_vcpus": vcpus.most,
        }))?;
    }
    Ok(())
}

fn set_refusal(name: &str, error: ResizeError) -> Failure {
    match error {
        ResizeError::Domain(DomainError::Privileged) => Failure::WithUsage(
            "the vCPUs of the control domain are fixed at its start; give it another dom0_max_vcpus= on Xen's command \
             line"
                .into(),
        ),
        ResizeError::Domain(error) => Failure::domain(name, "resize", error),
        ResizeError::Foreign => Failure::foreign(name),
        ResizeError::AboveMaximum { most } => Failure::Hinted {
            text: "Cannot set vcpus greater than max vcpus on running domain".into(),
            hint: format!("domain '{name}' may have {most}, from its creation on (maxvcpus)"),
        },
        // The others are about memory.
        ResizeError::Zero
        | ResizeError::BelowTarget { .. }
        | ResizeError::TooMuch { .. }
        | ResizeError::NotEnoughMemory { .. } => Failure::WithUsage("Zero or less VCPUs is invalid".into()),
    }
}

/// Runs `xm vcpu-list`.
///
/// # Errors
/// A name that no domain has: then nothing is printed.
pub fn list(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, Spec { short: &[], long: &[] }).map_err(Failure::WithUsage)?;
    print_list(context, &parsed.words)
}

/// Prints the vCPUs of the domains that are named, or of all.
///
/// # Errors
/// As for [`list`].
pub fn print_list(context: &mut Context<'_>, names: &[String]) -> Result<(), Failure> {
    let domains: Vec<DomainRef> = names.iter().cloned().map(DomainRef).collect();
    let mut client = context.connect()?;
    let mut all = VcpuListing { cpus: CpuSet::default(), domains: Vec::new(), nr_domains: 0, has_more: true };
    let mut skip = 0;
    while all.has_more {
        let query = VcpuQuery { domains: domains.clone(), skip };
        let part = client.call::<VcpuList>(&query)?.map_err(|error| match error {
            VcpuListError::NotFound(name) => Failure::NoDomain(name),
            VcpuListError::Xen(error) => Failure::xen(&error),
        })?;
        skip += part.nr_domains;
        all = VcpuListing { domains: [all.domains, part.domains].concat(), ..part };
    }
    if context.json {
        context.out.json(&Value::Array(rows(&all).map(|(domain, vcpu)| object(domain, vcpu)).collect()))?;
    } else {
        context.out.text(&table(&all))?;
    }
    Ok(())
}

fn rows(listing: &VcpuListing) -> impl Iterator<Item = (&DomainVcpus, &VcpuInfo)> {
    listing.domains.iter().flat_map(|domain| domain.vcpus.iter().map(move |vcpu| (domain, vcpu)))
}

fn table(listing: &VcpuListing) -> String {
    let mut text = format!(
        "{:<32} {:>5} {:>5} {:>5} {:>5} {:>9} {}\n",
        "Name", "ID", "VCPU", "CPU", "State", "Time(s)", "CPU Affinity"
    );
    for (domain, vcpu) in rows(listing) {
        let cpu = if vcpu.is_online { vcpu.cpu.to_string() } else { "-".into() };
        text.push_str(&format!(
            "{:<32} {:>5} {:>5} {:>5} {:>5}  {:>8.1} {}\n",
            domain.name,
            domain.domid,
            vcpu.vcpu,
            cpu,
            state(vcpu),
            vcpu.cpu_time_ns as f64 / 1e9,
            affinity(&vcpu.hard, &listing.cpus)
        ));
    }
    text
}

/// xm's three letters.
fn state(vcpu: &VcpuInfo) -> String {
    if !vcpu.is_online {
        return "--p".into();
    }
    let letter = |is_so, letter| if is_so { letter } else { '-' };
    [letter(vcpu.is_running, 'r'), letter(vcpu.is_blocked, 'b'), '-'].iter().collect()
}

/// The CPUs that a vCPU may run on, of those that there are.
fn affinity(set: &CpuSet, there: &CpuSet) -> String {
    let set = set.within(there);
    if set.is_empty() {
        "no cpus".into()
    } else if there.iter().all(|cpu| set.has(cpu)) {
        "any cpu".into()
    } else {
        set.to_string()
    }
}

fn object(domain: &DomainVcpus, vcpu: &VcpuInfo) -> Value {
    json!({
        "name": domain.name,
        "domid": domain.domid,
        "vcpu": vcpu.vcpu,
        "online": vcpu.is_online,
        "cpu": vcpu.is_online.then_some(vcpu.cpu),
        "state": state(vcpu),
        "cpu_time_ns": vcpu.cpu_time_ns,
        "affinity": vcpu.hard.iter().collect::<Vec<u32>>(),
        "affinity_soft": vcpu.soft.iter().collect::<Vec<u32>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(cpus: &[u32]) -> CpuSet {
        cpus.iter().copied().collect()
    }

    fn vcpu(vcpu: u32, cpu: u32, hard: &[u32]) -> VcpuInfo {
        VcpuInfo {
            vcpu,
            is_online: true,
            is_blocked: true,
            is_running: false,
            cpu,
            cpu_time_ns: 7_200_000_000,
            hard: set(hard),
            soft: set(&[0, 1, 2, 3]),
        }
    }

    #[test]
    fn the_table_is_xms_to_the_byte() {
        let offline = VcpuInfo { is_online: false, cpu_time_ns: 500_000_000, ..vcpu(1, 0, &[0, 1, 2, 3]) };
        let running = VcpuInfo { is_blocked: false, is_running: true, ..vcpu(2, 3, &[]) };
        let vcpus = vec![vcpu(0, 1, &[0, 1, 3]), offline, running];
        let listing = VcpuListing {
            cpus: set(&[0, 1, 2, 3]),
            domains: vec![DomainVcpus { name: "guest1".into(), domid: 164, vcpus }],
            nr_domains: 1,
            has_more: false,
        };
        assert_eq!(
            table(&listing),
            "Name                                ID  VCPU   CPU State   Time(s) CPU Affinity\n\
             guest1                             164     0     1   -b-       7.2 0-1,3\n\
             guest1                             164     1     -   --p       0.5 any cpu\n\
             guest1                             164     2     3   r--       7.2 no cpus\n"
        );
    }

    #[test]
    fn affinity_is_told_of_the_cpus_that_there_are() {
        let there = set(&[0, 1, 4]);
        for (cpus, text) in [
            (&[0, 1, 2, 3, 4, 5][..], "any cpu"),
            (&[0, 1], "0-1"),
            (&[1, 2, 3, 4], "1,4"),
            (&[7], "no cpus"),
            (&[], "no cpus"),
        ] {
            assert_eq!(affinity(&set(cpus), &there), text, "{cpus:?}");
        }
    }
}
