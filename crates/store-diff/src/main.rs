//! Runs many histories, or one.
//!
//! `store-diff [--peer c|ocaml] [--from SEED] [--requests N] [--most DIFFERENCES] [--replay FILE] [--examples yes]`
//!
//! Differences that no rule allows are shortened and printed; `--examples` prints the shortest history that needs each rule.

use std::collections::BTreeMap;
use std::process::ExitCode;

use store_diff::compare::run;
use store_diff::history::{Step, print, read};
use store_diff::report::Report;
use store_diff::{PeerKind, generate::generate, shrink::shrink};

struct Options {
    peers: Vec<PeerKind>,
    from: u64,
    requests: u64,
    /// How many different differences are looked for before it ends.
    most: usize,
    replay: Option<String>,
    examples: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        peers: PeerKind::ALL.into(),
        from: 0,
        requests: 20_000,
        most: 1,
        replay: None,
        examples: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name}: no number: {value}"));
        match &*name {
            "--peer" => {
                let peer = PeerKind::ALL.into_iter().find(|peer| peer.word() == value);
                options.peers = vec![peer.ok_or_else(|| format!("no such peer: {value}"))?];
            }
            "--from" => options.from = number()?,
            "--requests" => options.requests = number()?,
            "--most" => options.most = number()? as usize,
            "--examples" => options.examples = value == "yes",
            "--replay" => options.replay = Some(value),
            _ => return Err(format!("unknown: {name} {value}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    match options().and_then(|options| work(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("store-diff: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing differed that no rule allows.
fn work(options: &Options) -> Result<bool, String> {
    let mut is_same = true;
    for peer in options.peers.iter().copied() {
        if !peer.is_installed() {
            return Err(format!("{peer} is not here: install Debian's {}", PeerKind::PACKAGE));
        }
        is_same &= match &options.replay {
            Some(file) => replay(peer, file)?,
            None => many(peer, options)?,
        };
    }
    Ok(is_same)
}

fn replay(peer: PeerKind, file: &str) -> Result<bool, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let history = read(&text).map_err(|error| error.to_string())?;
    let report = run(&history, peer).map_err(|error| error.to_string())?;
    println!("{peer}: {} requests, allowed: {:?}", report.requests, report.allowed);
    report.gone.iter().for_each(|why| println!("{why}"));
    Ok(!tell(peer, &report))
}

fn tell(peer: PeerKind, report: &Report) -> bool {
    if let Some(difference) = &report.difference {
        println!("{peer}: {difference}");
    }
    report.difference.is_some()
}

fn many(peer: PeerKind, options: &Options) -> Result<bool, String> {
    let (mut requests, mut events, mut histories, mut cut_short, mut gone) = (0, 0, 0, 0, 0);
    let mut allowed: BTreeMap<&str, u64> = BTreeMap::new();
    let mut found = 0;
    let mut seed = options.from;
    while requests < options.requests && found < options.most {
        let history = generate(seed);
        let report = run(&history, peer).map_err(|error| error.to_string())?;
        requests += report.requests;
        events += report.events;
        histories += 1;
        gone += u64::from(report.gone.is_some());
        cut_short += u64::from(report.is_cut_short);
        for (name, count) in &report.allowed {
            if options.examples && !allowed.contains_key(name) {
                example(&history, peer, name);
            }
            *allowed.entry(name).or_default() += count;
        }
        if report.difference.is_some() {
            found += 1;
            println!("seed {seed}, shortened:");
            let short = shrink_same(history, peer);
            print!("{}", print(&short));
            tell(peer, &run(&short, peer).map_err(|error| error.to_string())?);
        }
        seed += 1;
    }
    println!(
        "{peer}: {histories} histories (seeds {} to {}), {requests} requests and {events} events compared; {cut_short} histories \
         cut short; the server ended {gone} times",
        options.from,
        seed - 1
    );
    for (name, count) in allowed {
        println!("  {count:8} {name}");
    }
    Ok(found == 0)
}

/// Prints the shortest part of the history that needs the rule.
fn example(history: &[Step], peer: PeerKind, rule: &str) {
    let short = shrink(history.to_vec(), |rest| {
        run(rest, peer).is_ok_and(|report| report.difference.is_none() && report.allowed.contains_key(rule))
    });
    println!("[{} {rule}]\n{}", peer.word(), print(&short));
}

/// The shortest history that shows some difference.
fn shrink_same(history: Vec<Step>, peer: PeerKind) -> Vec<Step> {
    shrink(history, |rest| run(rest, peer).is_ok_and(|report| report.difference.is_some()))
}
