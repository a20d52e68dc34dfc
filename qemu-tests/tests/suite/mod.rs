//! What the test files share: trials that run one after the other on one booted machine.
//!
//! Booting costs seconds, so trials of one file share a machine. After each trial the machine must be as it was before:
//! no domain left, all memory back. A trial that fails, or leaves something, gets the machine's logs into its error, and
//! the next one gets a fresh machine.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use libtest_mimic::{Arguments, Failed, Trial};
use qemu_tests::{Boot, Machine};

/// How long memory may take to come back after a domain is gone: Xen frees and scrubs it bit by bit.
const BACK: Duration = Duration::from_secs(10);

/// One promise: a sentence, and how it is checked.
pub(crate) type Promise = (&'static str, fn(&Machine) -> Result<()>);

/// Runs a file's promises, those for one machine together. Returns the status for the process to end with.
#[allow(dead_code, reason = "each test file is a program of its own; one of them needs the other")]
pub(crate) fn main(machines: &[(Boot, &[Promise])]) -> ExitCode {
    main_allowing(0, machines)
}

/// As [`main`], where each trial may leave so many KiB in Xen's own heap.
pub(crate) fn main_allowing(lost_kib: u64, machines: &[(Boot, &[Promise])]) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They share machines, and two cores are soon full.
    arguments.test_threads = Some(1);
    let mut trials = Vec::new();
    let mut shared = Vec::new();
    for (boot, promises) in machines {
        let machine = Arc::new(Shared {
            boot: *boot,
            lost_kib,
            machine: Mutex::new(None),
            left: Mutex::new(promises.len()),
        });
        shared.push(machine.clone());
        let iommu = if boot.iommu { "with" } else { "without" };
        for (name, promise) in *promises {
            let (machine, promise) = (machine.clone(), *promise);
            let name = format!("{name} (Xen {} {iommu} IOMMU)", boot.xen);
            trials.push(Trial::test(name, move || machine.keep(promise)));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Machines that are still up go down here.
    drop(shared);
    conclusion.exit_code()
}

struct Shared {
    boot: Boot,
    lost_kib: u64,
    machine: Mutex<Option<Machine>>,
    left: Mutex<usize>,
}

impl Shared {
    fn keep(&self, promise: fn(&Machine) -> Result<()>) -> Result<(), Failed> {
        // A trial that panicked took the machine with it.
        let machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner).take();
        let machine = match machine {
            Some(machine) => machine,
            None => Machine::boot(self.boot).map_err(|error| format!("{error:#}"))?,
        };
        if let Err(error) = checked(&machine, promise, self.lost_kib) {
            return Err(format!("{error:#}{}", machine.logs()).into());
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left -= 1;
        // Behind its last trial a machine goes at once, so that the next one has the processor.
        if *left > 0 {
            *self.machine.lock().unwrap_or_else(PoisonError::into_inner) = Some(machine);
        }
        Ok(())
    }
}

fn checked(machine: &Machine, promise: fn(&Machine) -> Result<()>, lost_kib: u64) -> Result<()> {
    let before = machine.unused_kib()?;
    promise(machine)?;
    let deadline = Instant::now() + BACK;
    loop {
        let (domains, after) = (machine.domains()?, machine.unused_kib()?);
        if domains.is_empty() && (before.saturating_sub(lost_kib)..=before).contains(&after) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("left behind: domains {domains:?}; {before} KiB were unused before, {after} KiB are now");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
