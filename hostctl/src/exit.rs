//! Exit codes. One table; `docs/exit-codes.md` and `--help` say the same.

/// Everything went well.
pub const OK: u8 = 0;
/// The command failed; the reason is on stderr.
pub const FAILED: u8 = 1;
/// hostctl's own command line was not understood.
pub const USAGE: u8 = 2;
/// `xm`: there is no such domain.
pub const NO_DOMAIN: u8 = 3;
/// `xenstore control`: the store does not carry out the command.
pub const STORE_CONTROL: u8 = 3;
/// `lab run`: the guest crashed.
pub const GUEST_CRASHED: u8 = 3;
/// The time given with `--timeout` passed.
pub const TIMEOUT: u8 = 4;
/// hostctl and the control domain were built from different protocols.
pub const PROTOCOL: u8 = 5;
/// `lab`: the machine itself failed: QEMU ended, the control domain panicked, the line was lost.
pub const MACHINE: u8 = 6;
/// `lab run`: the guest ended otherwise: destroyed, suspended, watchdog.
pub const GUEST_OTHER: u8 = 7;
/// `lab run`: the guest rebooted.
pub const GUEST_REBOOTED: u8 = 8;

/// The shell's code for a program ended by this signal.
pub fn by_signal(signal: i32) -> u8 {
    // Signal numbers are 1 to 64.
    128u8.saturating_add(signal as u8)
}

/// The table as it stands at the end of `hostctl --help`.
pub const HELP: &str = "\
Exit codes:
  0  success; `lab run`: the guest powered off
  1  the command failed, the reason is on stderr
  2  hostctl's own command line was not understood
  3  xm: no such domain; `lab run`: the guest crashed; `xenstore control`: not carried out
  4  the time given with --timeout passed
  5  hostctl and the control domain speak different protocol versions
  6  lab: the machine failed (QEMU ended, control domain panicked, line lost)
  7  `lab run`: the guest ended otherwise (destroyed, suspended, watchdog)
  8  `lab run`: the guest rebooted
  128+N  ended by signal N (130: Ctrl-C during `lab`; xm gives 1)";
