//! `xm top`: what the host and its domains use, as xentop shows it: on a terminal, as lines, or as JSON.

mod app;
mod columns;
mod draw;
mod json;
mod keys;
mod look;
mod screen;
mod text;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use proto::endpoints;
use proto::top::{HostTop, TopRequest};

use self::columns::{Sort, Widths};
use self::look::Look;
use super::Context;
use super::failure::Failure;
use super::getopt::{Parsed, Spec, parse};
use crate::client::{CallError, Client, Event};

const SPEC: Spec = Spec {
    short: &[
        ('d', true),
        ('n', false),
        ('x', false),
        ('r', false),
        ('v', false),
        ('f', false),
        ('b', false),
        ('i', true),
        ('z', false),
        ('V', false),
    ],
    long: &[
        ("delay", true),
        ("networks", false),
        ("vbds", false),
        ("repeat-header", false),
        ("vcpus", false),
        ("full-name", false),
        ("batch", false),
        ("iterations", true),
        ("dom0-first", false),
        ("version", false),
    ],
};

/// The options, as usage shows them.
pub const OPTIONS: &[(&str, &str)] = &[
    ("-d SECONDS, --delay=SECONDS", "Time between two looks; 3 if not given."),
    ("-n, --networks", "Show each network interface."),
    ("-x, --vbds", "Show each block device."),
    ("-r, --repeat-header", "Repeat the header before each domain."),
    ("-v, --vcpus", "Show each virtual processor."),
    ("-f, --full-name", "Show names in full."),
    ("-b, --batch", "Print lines and read no keys."),
    ("-i N, --iterations=N", "End after so many looks."),
    ("-z, --dom0-first", "Show Domain-0 first, however the others are sorted."),
    ("-V, --version", "Print the version and end."),
    ("--json", "Print an object for each look."),
];

/// The shortest time between two looks: what a slow line carries with ease.
const SHORTEST: f64 = 0.1;
/// The longest, in seconds: a day.
const LONGEST: f64 = 86_400.0;

/// What is shown, and how often.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    delay: Duration,
    networks: bool,
    vbds: bool,
    vcpus: bool,
    repeat_header: bool,
    full_name: bool,
    dom0_first: bool,
    /// How many looks are left; `None`: no end.
    looks: Option<u64>,
}

impl Settings {
    fn of(parsed: &Parsed) -> Result<Settings, Failure> {
        let delay = parsed.value(&["d", "delay"]).map_or(Ok(Duration::from_secs(3)), delay);
        let looks = parsed.value(&["i", "iterations"]).map(|word| match word.parse() {
            Ok(looks @ 1..) => Ok(looks),
            _ => Err(format!("'{word}' is no number of iterations; give 1 or more")),
        });
        Ok(Settings {
            delay: delay.map_err(Failure::WithUsage)?,
            networks: parsed.has(&["n", "networks"]),
            vbds: parsed.has(&["x", "vbds"]),
            vcpus: parsed.has(&["v", "vcpus"]),
            repeat_header: parsed.has(&["r", "repeat-header"]),
            full_name: parsed.has(&["f", "full-name"]),
            dom0_first: parsed.has(&["z", "dom0-first"]),
            looks: looks.transpose().map_err(Failure::WithUsage)?,
        })
    }

    /// Counts a look; says whether it was the last.
    fn count(&mut self) -> bool {
        self.looks = self.looks.map(|left| left.saturating_sub(1));
        self.looks == Some(0)
    }

    fn request(&self, from: u16) -> TopRequest {
        TopRequest { from, vcpus: self.vcpus }
    }
}

/// A look that comes in several answers.
#[derive(Debug, Default)]
struct Parts(Option<HostTop>);

impl Parts {
    /// Takes an answer; gives the look, once it is whole.
    fn take(&mut self, part: HostTop) -> Option<HostTop> {
        let whole = match self.0.take() {
            // What the host has was told with the first part.
            Some(mut whole) => {
                whole.domains.extend(part.domains);
                whole.next = part.next;
                whole
            }
            None => part,
        };
        if whole.next.is_some() {
            self.0 = Some(whole);
            return None;
        }
        Some(whole)
    }

    /// Where to go on.
    fn from(&self) -> u16 {
        self.0.as_ref().and_then(|whole| whole.next).unwrap_or(0)
    }
}

/// Reads a number of seconds.
fn delay(word: &str) -> Result<Duration, String> {
    let seconds = word.trim().parse::<f64>().ok().filter(|seconds| (SHORTEST..=LONGEST).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or(format!("'{word}' is no delay; give a number of seconds from {SHORTEST} to {LONGEST}"))
}

/// Runs the command.
///
/// # Errors
/// A wrong option, there is no terminal for it, or the control domain cannot be asked.
pub fn run(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    if let Some(word) = parsed.words.first() {
        return Err(Failure::WithUsage(format!("'{word}' is one word too many: top takes options only")));
    }
    if parsed.has(&["V", "version"]) {
        context.out.line(concat!("xm top of nanodom ", env!("CARGO_PKG_VERSION")))?;
        return Ok(());
    }
    let settings = Settings::of(&parsed)?;
    let is_batch = context.json || parsed.has(&["b", "batch"]);
    let has_terminal = std::io::stdin().is_terminal() && context.out.is_terminal;
    if !is_batch && !has_terminal {
        return Err(Failure::Plain("there is no terminal to draw on; use --batch or --json".into()));
    }
    let mut client = context.connect()?;
    if !is_batch {
        return screen::run(&mut client, settings, context.out);
    }
    match print(context, &mut client, settings) {
        // That is how an endless run is ended.
        Err(Failure::Interrupted) => Ok(()),
        result => result,
    }
}

/// Prints look after look.
fn print(context: &mut Context<'_>, client: &mut Client, mut settings: Settings) -> Result<(), Failure> {
    let mut widths = Widths::default();
    let mut before: Option<HostTop> = None;
    let mut due = Instant::now();
    loop {
        let top = ask(client, &settings)?;
        let look = Look::new(&top, before.as_ref(), Sort::default(), settings.dom0_first);
        if context.json {
            context.out.json(&json::object(&look))?;
        } else {
            widths.fit(&look.rows, settings.full_name);
            context.out.text(&text::table(&look, &settings, &widths))?;
        }
        context.out.flush()?;
        if settings.count() {
            return Ok(());
        }
        before = Some(top);
        due = (due + settings.delay).max(Instant::now());
        wait(client, due)?;
    }
}

fn ask(client: &mut Client, settings: &Settings) -> Result<HostTop, Failure> {
    let mut parts = Parts::default();
    loop {
        let request = settings.request(parts.from());
        let part = client.call::<endpoints::HostTop>(&request)?.map_err(|error| Failure::xen(&error))?;
        if let Some(whole) = parts.take(part) {
            return Ok(whole);
        }
    }
}

fn wait(client: &mut Client, due: Instant) -> Result<(), CallError> {
    while !matches!(client.event(None, Some(due))?, Event::Deadline) {}
    Ok(())
}

#[cfg(test)]
mod testing {
    //! A host to look at, and how.

    use std::time::Duration;

    use proto::domain::DomainState;
    use proto::top::{DomainUse, HostTop, NetworkUse, Traffic, VbdUse, VcpuUse};

    use super::Settings;

    /// What is shown where nothing is asked for.
    pub(super) fn settings() -> Settings {
        Settings {
            delay: Duration::from_secs(3),
            networks: false,
            vbds: false,
            vcpus: false,
            repeat_header: false,
            full_name: false,
            dom0_first: false,
            looks: None,
        }
    }

    /// A domain that uses nothing yet.
    pub(super) fn domain(domid: u16, name: &str) -> DomainUse {
        DomainUse {
            domid,
            at_ns: 0,
            name: name.into(),
            state: DomainState::BLOCKED,
            cpu_time_ns: 0,
            memory_kib: 65_536,
            max_memory_kib: Some(131_072),
            nr_vcpus: 1,
            ssid: 0,
            vcpus: Vec::new(),
            networks: Vec::new(),
            vbds: Vec::new(),
        }
    }

    /// A machine with these domains, at a moment.
    pub(super) fn host(at_ns: u64, domains: Vec<DomainUse>) -> HostTop {
        let domains = domains.into_iter().map(|domain| DomainUse { at_ns, ..domain }).collect();
        HostTop {
            next: None,
            at_ns,
            nr_cpus: 2,
            cpu_khz: 2_400_123,
            total_memory_kib: 524_288,
            free_memory_kib: 400_000,
            domains,
        }
    }

    /// Domain 0, and a guest that spins on one of its two vCPUs and has devices: two looks, three seconds apart.
    pub(super) fn two_looks() -> (HostTop, HostTop) {
        let mut zero = domain(0, "Domain-0");
        zero.state = DomainState::RUNNING;
        zero.max_memory_kib = None;
        zero.memory_kib = 16_384;
        zero.cpu_time_ns = 12_000_000_000;
        let mut guest = domain(7, "a-guest-with-a-long-name");
        guest.nr_vcpus = 7;
        guest.cpu_time_ns = 5_000_000_000;
        guest.vcpus =
            (0..7).map(|vcpu| VcpuUse { vcpu, cpu_time_ns: u64::from(vcpu) * 1_500_000_000 }).collect();
        let traffic = |bytes| Traffic { bytes, packets: 30, errors: 1, dropped: 2 };
        guest.networks = vec![NetworkUse { id: 0, received: traffic(2_048_000), sent: traffic(1_024) }];
        guest.vbds = vec![VbdUse {
            id: 51_712,
            out_of_requests: 1,
            reads: 20,
            writes: 30,
            read_sectors: 400,
            written_sectors: 500,
        }];
        let first = host(1_000_000_000, vec![zero.clone(), guest.clone()]);
        zero.cpu_time_ns += 30_000_000;
        guest.cpu_time_ns += 2_976_000_000;
        guest.networks[0].received.bytes += 3 * 1024 * 1024;
        guest.vbds[0].reads += 30;
        (first, host(4_000_000_000, vec![zero, guest]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_in_several_answers_is_one() {
        let part =
            |at_ns, domid, next| HostTop { next, ..testing::host(at_ns, vec![testing::domain(domid, "d")]) };
        let mut parts = Parts::default();
        assert_eq!(parts.from(), 0);
        assert_eq!(parts.take(part(5, 0, Some(7))), None);
        assert_eq!(parts.from(), 7);
        assert_eq!(parts.take(part(6, 7, Some(9))), None);
        let whole = parts.take(part(7, 12, None)).unwrap();
        assert_eq!(whole.at_ns, 5);
        let told: Vec<_> = whole.domains.iter().map(|domain| (domain.domid, domain.at_ns)).collect();
        assert_eq!(told, [(0, 5), (7, 6), (12, 7)]);
        assert_eq!(parts.from(), 0, "the next look begins anew");
    }

    fn settings(line: &str) -> Result<Settings, Failure> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Settings::of(&parse(&words, SPEC).map_err(Failure::WithUsage)?)
    }

    #[test]
    fn options_are_xentops() {
        let plain = settings("").unwrap();
        assert_eq!((plain.delay, plain.looks, plain.vcpus), (Duration::from_secs(3), None, false));
        let all = settings("-d 0.5 -nxrvfbz -i 3").unwrap();
        assert_eq!((all.delay, all.looks), (Duration::from_millis(500), Some(3)));
        assert!(
            all.networks && all.vbds && all.repeat_header && all.vcpus && all.full_name && all.dom0_first
        );
        assert_eq!(settings("--delay=2 --iterations=1").unwrap().looks, Some(1));
    }

    #[test]
    fn a_number_that_makes_no_sense_is_refused_with_what_does() {
        for (line, part) in [
            ("-d 0", "'0' is no delay; give a number of seconds from 0.1"),
            ("-d -1", "'-1' is no delay"),
            ("-d nan", "'nan' is no delay"),
            ("-d 1e9", "'1e9' is no delay"),
            ("-d x", "'x' is no delay"),
            ("-i 0", "'0' is no number of iterations; give 1 or more"),
            ("-i 99999999999999999999", "is no number of iterations"),
            ("-i", "option -i requires argument"),
        ] {
            let Err(Failure::WithUsage(text)) = settings(line) else { panic!("{line} is taken") };
            assert!(text.contains(part), "{line}: {text}");
        }
    }

    #[test]
    fn so_many_looks_are_made_as_were_asked_for() {
        let mut three = settings("-i 3").unwrap();
        assert_eq!([three.count(), three.count(), three.count()], [false, false, true]);
        assert!(!settings("").unwrap().count());
    }
}
