//! What the test files share: trials that run one after the other on one booted machine.
//!
//! Booting costs seconds, so trials of one file share a machine. After each trial the machine must be as it was before:
//! no domain left, all memory back. A trial that fails, or leaves something, gets the machine's logs into its error, and
//! the next one gets a fresh machine. With `NANODOM_TEST_XEN=4.20` in the environment all machines have that Xen.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use libtest_mimic::{Arguments, Failed, Trial};
use qemu_tests::{Boot, Machine};

/// How long memory may take to come back after a domain is gone: Xen frees and scrubs it bit by bit.
const BACK: Duration = Duration::from_secs(10);

/// How long between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// One promise: a sentence, and how it is checked.
pub(crate) type Promise = (&'static str, fn(&Machine) -> Result<()>);

/// Runs a file's promises, those for one machine together. Returns the status for the process to end with.
#[allow(dead_code, reason = "each test file is a program of its own; one of them needs the other")]
pub(crate) fn main(machines: &[(Boot, &[Promise])]) -> ExitCode {
    main_allowing(|_| 0, machines)
}

/// As [`main`], where each trial may cost so many KiB on such a machine.
#[allow(dead_code, reason = "as above")]
pub(crate) fn main_allowing(lost_kib: fn(Boot) -> u64, machines: &[(Boot, &[Promise])]) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They share machines, and two cores are soon full.
    arguments.test_threads = Some(1);
    let mut trials = Vec::new();
    let mut shared = Vec::new();
    for (boot, promises) in machines {
        let boot = match boot.asked_for() {
            Ok(boot) => boot,
            Err(error) => {
                eprintln!("{error:#}");
                return ExitCode::FAILURE;
            }
        };
        let machine = Arc::new(Shared {
            boot,
            lost_kib: lost_kib(boot),
            machine: Mutex::new(None),
            left: Mutex::new(promises.len()),
        });
        shared.push(machine.clone());
        for (name, promise) in *promises {
            let (machine, promise) = (machine.clone(), *promise);
            let name = format!("{name} ({boot})");
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
    is_back(machine, before, lost_kib)
}

/// Waits until no domain is left and all memory is back, but for `lost_kib`.
///
/// # Errors
/// Something is left behind.
pub(crate) fn is_back(machine: &Machine, before: u64, lost_kib: u64) -> Result<()> {
    let deadline = Instant::now() + BACK;
    loop {
        let (domains, after) = (machine.domains()?, machine.unused_kib()?);
        if domains.is_empty() && (before.saturating_sub(lost_kib)..=before).contains(&after) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!(
                "left behind: domains {domains:?}; {before} KiB were unused before, {after} KiB are now, {lost_kib} KiB may \
                 be lost"
            );
        }
        std::thread::sleep(LOOK);
    }
}

/// Waits until two looks in a row find the same memory unused, and returns it in KiB.
///
/// # Errors
/// It does not come to rest.
#[allow(dead_code, reason = "each test file is a program of its own; one of them needs it")]
pub(crate) fn at_rest(machine: &Machine) -> Result<u64> {
    let deadline = Instant::now() + BACK;
    let mut before = machine.unused_kib()?;
    loop {
        std::thread::sleep(LOOK);
        let now = machine.unused_kib()?;
        if now == before {
            return Ok(now);
        }
        if Instant::now() >= deadline {
            bail!("unused memory does not come to rest: {before} KiB, then {now} KiB");
        }
        before = now;
    }
}
