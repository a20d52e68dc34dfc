//! Having a domain built: its images brought to the control domain, the request made, refusals put into words.

use std::time::{Duration, Instant};

use image::host::Kind;
use proto::domain::{Action, CreateRequest, Created, DomainConfig, DomainRef};
use proto::endpoints::{DomainCreate, DomainDestroy, ImagesBundled};
use proto::error::{BadKernel, CreateError};
use proto::image::ImageId;
use proto::sched::PoolRef;

use crate::client::{CallError, Client};
use crate::output::{Output, uuid_text};
use crate::upload;
use crate::xm::failure::{Failure, xen_text};
use xmcfg::refusal::refusals;
use xmcfg::settings::{Settings, Source};

/// How long an interrupted request may take to be undone.
const UNDO: Duration = Duration::from_secs(30);

/// Whether this release can build such a domain.
///
/// # Errors
/// Everything for which it cannot.
pub fn check(settings: &Settings) -> Result<(), Failure> {
    let reasons: Vec<String> = refusals(settings.form()).iter().map(ToString::to_string).collect();
    if reasons.is_empty() { Ok(()) } else { Err(Failure::Plain(reasons.join("\n"))) }
}

/// Builds a domain. Images that the control domain lacks are sent first.
///
/// # Errors
/// Nothing of the domain is left, also after Ctrl-C: what was complete by then is destroyed again.
pub fn create(
    client: &mut Client,
    settings: &Settings,
    paused: bool,
    out: &mut Output,
) -> Result<Created, Failure> {
    check(settings)?;
    let Some(kernel) = &settings.kernel else {
        return Err(Failure::Plain(format!(
            "domain '{}' has no kernel; add kernel = \"/path/to/kernel\" to its configuration",
            settings.name
        )));
    };
    let images = Images::bring(client, kernel, settings.ramdisk.as_ref())?;
    let request = CreateRequest { config: config(settings, &images), paused };
    client.progress.begin(&format!("building domain '{}'", settings.name));
    let ticket = client.start::<DomainCreate>(&request)?;
    let answer = client.wait_for(&ticket);
    client.progress.end();
    match answer {
        Ok(answer) => answer.map_err(|error| Failure::Plain(refused(settings, &error))),
        Err(error @ (CallError::Interrupted(_) | CallError::Deadline(_))) => {
            out.complain(
                "Waiting for the domain that is being built, to take it away again (Ctrl-C: leave it)",
            );
            client.limit(Instant::now(), UNDO);
            let answer = client.wait_for(&ticket);
            out.complain(&undo(client, answer, &settings.name));
            Err(error.into())
        }
        Err(error @ CallError::Lost { .. }) => Err(Failure::Code(
            error.exit_code(),
            format!("{error}; whether domain '{}' was created, 'xm list' tells", settings.name),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Destroys what an interrupted request has made; says what happened.
fn undo(client: &mut Client, answer: Result<Result<Created, CreateError>, CallError>, name: &str) -> String {
    match answer {
        Ok(Ok(created)) => match client.call::<DomainDestroy>(&DomainRef(uuid_text(&created.uuid))) {
            Ok(Ok(())) => {
                format!("Domain {name} (id={}) was complete and has been destroyed again.", created.domid)
            }
            Ok(Err(_)) => format!("Domain {name} (id={}) was complete and is gone already.", created.domid),
            Err(error) => format!("Domain {name} (id={}) is left: {error}", created.domid),
        },
        Ok(Err(_)) => format!("Domain {name} was not created."),
        Err(error) => format!("Whether domain {name} was created is not known ({error}); 'xm list' tells."),
    }
}

struct Images {
    kernel: ImageId,
    ramdisk: Option<ImageId>,
}

impl Images {
    fn bring(client: &mut Client, kernel: &Source, ramdisk: Option<&Source>) -> Result<Images, Failure> {
        let kernel = bring(client, kernel, Kind::Kernel)?;
        let ramdisk = ramdisk.map(|source| bring(client, source, Kind::Ramdisk)).transpose()?;
        Ok(Images { kernel, ramdisk })
    }
}

fn bring(client: &mut Client, source: &Source, kind: Kind) -> Result<ImageId, Failure> {
    match source {
        Source::File(path) => upload::ensure(client, path, kind),
        Source::Bundle(name) => {
            let all = client.call::<ImagesBundled>(&())?;
            match all.iter().find(|(known, _)| known == name) {
                Some((_, id)) => Ok(*id),
                None => {
                    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
                    let known = if names.is_empty() {
                        "it is empty".into()
                    } else {
                        format!("it has {}", names.join(", "))
                    };
                    Err(Failure::Plain(format!("the bundle has no image '{name}'; {known}")))
                }
            }
        }
    }
}

fn config(settings: &Settings, images: &Images) -> DomainConfig {
    let kib = |mib: u32| u64::from(mib) * 1024;
    DomainConfig {
        name: settings.name.clone(),
        uuid: settings.uuid,
        memory_kib: kib(settings.memory),
        max_memory_kib: kib(settings.maxmem.unwrap_or(settings.memory)),
        vcpus: settings.vcpus,
        max_vcpus: settings.max_vcpus,
        cpus: settings.cpu_sets(),
        pool: settings.pool.clone().map(PoolRef),
        weight: settings.cpu_weight,
        cap: settings.cpu_cap,
        kernel: images.kernel,
        kernel_name: settings.kernel.as_ref().map(Source::text).unwrap_or_default(),
        ramdisk: images.ramdisk,
        ramdisk_name: settings.ramdisk.as_ref().map(Source::text).unwrap_or_default(),
        cmdline: settings.command_line.clone(),
        on_poweroff: settings.on_poweroff.unwrap_or(Action::Destroy),
        on_reboot: settings.on_reboot.unwrap_or(Action::Restart),
        on_crash: settings.on_crash.unwrap_or(Action::Restart),
    }
}

fn mib(kib: u64) -> u64 {
    kib.div_ceil(1024)
}

fn refused(settings: &Settings, error: &CreateError) -> String {
    let kernel = settings.kernel.as_ref().map(Source::text).unwrap_or_default();
    refusal(&settings.name, &kernel, error)
}

/// Why the domain `name`, with the kernel at `kernel`, was not built, and what to do about it.
pub fn refusal(name: &str, kernel: &str, error: &CreateError) -> String {
    match error {
        CreateError::BadName if name.is_empty() => "Missing VM Name".into(),
        CreateError::BadName => {
            format!("Invalid VM Name '{name}': letters, digits and _ - . : + are possible; set name = \"...\"")
        }
        CreateError::NameInUse { domid: Some(domid) } => format!(
            "VM name '{name}' already exists as domain {domid}; destroy that one first, or choose another name"
        ),
        CreateError::NameInUse { domid: None } => {
            format!("VM name '{name}' already exists (it is being created at this moment); choose another name")
        }
        CreateError::UuidInUse { domid } => {
            format!("Domain '{name}' already exists with ID '{domid}' (same uuid); leave uuid out or change it")
        }
        CreateError::TooLittleMemory { asked_kib, least_kib } => format!(
            "domain '{name}' cannot have {} MiB of memory: it takes at least {} MiB; set memory = {} or more",
            asked_kib / 1024,
            mib(*least_kib),
            mib(*least_kib).max(1)
        ),
        CreateError::NotEnoughMemory { needed_kib, free_kib } => format!(
            "not enough free memory for domain '{name}': {} MiB are needed and {} MiB are free; ask for less, or \
             destroy another domain",
            mib(*needed_kib),
            free_kib / 1024
        ),
        CreateError::BadVcpus { asked, most } => {
            format!("domain '{name}' cannot have {asked} vcpus; 1 to {most} are possible")
        }
        CreateError::MaxBelowStart => {
            format!("domain '{name}': maxmem is below memory, or maxvcpus below vcpus; raise the maximum")
        }
        CreateError::NoCpu => format!(
            "domain '{name}': of the CPUs that a vCPU may run on (cpus), none is there, or in its pool; 'xm info' and 'xm cpupool-list -c' show which there are"
        ),
        CreateError::NoPool(pool) => {
            format!("unknown pool {}: domain '{name}' cannot run in it; 'xm cpupool-list' shows which there are", pool.0)
        }
        CreateError::PoolHasNoCpu(pool) => format!(
            "pool {0} not activated: it has no processor for domain '{name}'; give it one with 'xm cpupool-cpu-add {0} CPU'",
            pool.0
        ),
        CreateError::NoShares(scheduler) => format!(
            "domain '{name}' cannot have a cpu_weight or a cpu_cap: its pool's scheduler, {scheduler}, knows neither; \
             leave them out, or choose another pool"
        ),
        CreateError::BadWeight => {
            format!("domain '{name}': cpu_weight is out of range; 1 to 65535 are possible")
        }
        CreateError::BadCap { most } => format!(
            "domain '{name}': cpu_cap is out of range; 0 (no limit) to {most} are possible: 100 for each of its vcpus"
        ),
        CreateError::CmdlineTooLong { len, most } => {
            format!("the command line of domain '{name}' has {len} bytes, and {most} are possible; shorten extra")
        }
        CreateError::NoImage(_) => format!(
            "an image of domain '{name}' was thrown out of the control domain's cache before it could be used; try again"
        ),
        CreateError::BadKernel(reason) => bad_kernel(kernel, reason),
        CreateError::BadRamdisk => {
            format!("the ramdisk of domain '{name}' is damaged in the control domain's cache; give it another one")
        }
        CreateError::DoesNotFit { needed_kib, memory_kib } => format!(
            "kernel and ramdisk of domain '{name}' take {} MiB, but it has {} MiB of memory; raise memory, or use a \
             smaller ramdisk",
            mib(*needed_kib),
            memory_kib / 1024
        ),
        CreateError::OutOfHeap => {
            "the control domain itself is out of memory; destroy a domain, or give it more (lab up --dom0-memory)".into()
        }
        CreateError::Xen(error) => format!("Building domain '{name}' failed: {}", xen_text(error)),
        CreateError::Cancelled => format!("Building domain '{name}' was cancelled"),
    }
}

fn bad_kernel(kernel: &str, reason: &BadKernel) -> String {
    let why = match reason {
        BadKernel::Truncated { expected, found } => {
            format!("is truncated: its headers promise {expected} bytes and it has {found}; copy it again")
        }
        BadKernel::NotElf => "is neither an ELF file nor a bzImage; name a kernel that boots as PVH".into(),
        BadKernel::WrongElf => {
            "is an ELF file, but no x86 executable; name a kernel that boots as PVH".into()
        }
        BadKernel::NotPvh => {
            "has no PVH entry (ELF note XEN_ELFNOTE_PHYS32_ENTRY); Linux needs CONFIG_PVH=y".into()
        }
        BadKernel::BadSegment { address, size } => {
            format!(
                "has a segment or entry that cannot be loaded, at {address:#x} with {size:#x} bytes; link it again"
            )
        }
        BadKernel::Corrupt => "arrived damaged; remove hostctl's cache and try again".into(),
    };
    format!("the kernel {kernel} {why}")
}

#[cfg(test)]
mod tests {
    use proto::error::XenError;
    use proto::sched::Scheduler;

    use super::*;

    fn settings(form: &str) -> Settings {
        Settings::from_form(&xmcfg::sxp::first(form.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn every_refusal_names_the_domain_or_the_kernel() {
        let settings = settings("(vm (name g) (image (linux (kernel bundle:k))))");
        for (error, text) in [
            (
                CreateError::NameInUse { domid: Some(3) },
                "VM name 'g' already exists as domain 3; destroy that one first, or choose another name",
            ),
            (
                CreateError::TooLittleMemory { asked_kib: 0, least_kib: 3000 },
                "domain 'g' cannot have 0 MiB of memory: it takes at least 3 MiB; set memory = 3 or more",
            ),
            (
                CreateError::NotEnoughMemory { needed_kib: 1025, free_kib: 2047 },
                "not enough free memory for domain 'g': 2 MiB are needed and 1 MiB are free; ask for less, or destroy \
                 another domain",
            ),
            (
                CreateError::NoPool(PoolRef("fast".into())),
                "unknown pool fast: domain 'g' cannot run in it; 'xm cpupool-list' shows which there are",
            ),
            (
                CreateError::PoolHasNoCpu(PoolRef("fast".into())),
                "pool fast not activated: it has no processor for domain 'g'; give it one with 'xm cpupool-cpu-add fast CPU'",
            ),
            (
                CreateError::NoShares(Scheduler::Rtds),
                "domain 'g' cannot have a cpu_weight or a cpu_cap: its pool's scheduler, rtds, knows neither; leave them \
                 out, or choose another pool",
            ),
            (
                CreateError::BadCap { most: 200 },
                "domain 'g': cpu_cap is out of range; 0 (no limit) to 200 are possible: 100 for each of its vcpus",
            ),
            (
                CreateError::BadVcpus { asked: 0, most: 128 },
                "domain 'g' cannot have 0 vcpus; 1 to 128 are possible",
            ),
            (
                CreateError::BadKernel(BadKernel::NotPvh),
                "the kernel bundle:k has no PVH entry (ELF note XEN_ELFNOTE_PHYS32_ENTRY); Linux needs CONFIG_PVH=y",
            ),
            (
                CreateError::Xen(XenError { call: "XEN_DOMCTL_createdomain".into(), errno: 12 }),
                "Building domain 'g' failed: XEN_DOMCTL_createdomain: Cannot allocate memory (errno 12)",
            ),
        ] {
            assert_eq!(refused(&settings, &error), text);
        }
    }

    #[test]
    fn unset_actions_and_maxima_get_xms_defaults() {
        let settings = settings("(vm)");
        let config = config(&settings, &Images { kernel: ImageId([0; 32]), ramdisk: None });
        assert_eq!((config.memory_kib, config.max_memory_kib, config.max_vcpus), (131_072, 131_072, 1));
        assert_eq!(
            (config.on_poweroff, config.on_reboot, config.on_crash),
            (Action::Destroy, Action::Restart, Action::Restart)
        );
    }
}
