//! `xm create`: a domain from a file and words.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::getopt::{Parsed, Spec, parse};
use crate::attach::Console;
use crate::build;
use crate::exit;
use crate::output::{Output, uuid_text};
use proto::domain::DomainRef;
use proto::endpoints::DomainUnpause;
use xmcfg::draft;
use xmcfg::file;
use xmcfg::settings::Settings;
use xmcfg::variables::USED;

/// The options, as usage shows them.
pub const OPTIONS: &[(&str, &str)] = &[
    ("-h, --help", "Print this help."),
    ("--help_config", "Print the variables of a configuration."),
    ("-q, --quiet", "Print nothing when all goes well."),
    ("--path=PATH", "Look for the file in these directories. Default: .:/etc/xen"),
    ("-f FILE, --defconfig=FILE", "Use this file. A word without '=' does the same. Default: xmdefconfig"),
    ("-n, --dryrun", "Print the configuration as SXP, create nothing."),
    ("-p, --paused", "Leave the domain paused."),
    ("-c, --console_autoconnect", "Attach to the console."),
    ("--json", "Print what was created as JSON, with times."),
];

const SPEC: Spec = Spec {
    short: &[
        ('q', false),
        ('p', false),
        ('c', false),
        ('n', false),
        ('x', false),
        ('s', false),
        ('f', true),
        ('F', true),
    ],
    long: &[
        ("help_config", false),
        ("quiet", false),
        ("path", true),
        ("defconfig", true),
        ("config", true),
        ("dryrun", false),
        ("xmldryrun", false),
        ("skipdtd", false),
        ("paused", false),
        ("console_autoconnect", false),
        ("vncviewer", false),
        ("vncviewer-autopass", false),
    ],
};

/// A configuration that was named on the command line and read.
pub struct Chosen {
    /// Its file.
    pub file: PathBuf,
    /// What it says, with the words of the command line.
    pub settings: Settings,
}

/// Runs the command.
///
/// # Errors
/// Whatever is wrong with the configuration, the images or the machine; nothing of the domain is left then.
pub fn run(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::Plain)?;
    if parsed.has(&["help_config"]) {
        context.out.text(&values())?;
        return Ok(());
    }
    if parsed.has(&["x", "xmldryrun"]) {
        return Ok(());
    }
    let quiet = context.json || parsed.has(&["q", "quiet"]);
    let chosen = choose(&parsed, quiet, context.out)?;
    if parsed.has(&["n", "dryrun"]) {
        context.out.text(&chosen.settings.form().pretty())?;
        return Ok(());
    }
    create(context, &chosen, &parsed, quiet)
}

/// Finds and reads the configuration that the words name.
fn choose(parsed: &Parsed, quiet: bool, out: &mut Output) -> Result<Chosen, Failure> {
    if parsed.has(&["F", "config"]) {
        return Err(Failure::Plain("'-F' (SXP files) is not available in this release of nanodom".into()));
    }
    let mut name = parsed.value(&["f", "defconfig"]).unwrap_or(file::DEFAULT_FILE).to_owned();
    let mut words = Vec::new();
    for word in &parsed.words {
        match word.split_once('=') {
            Some((key, value)) => words.push((key.trim().to_owned(), value.trim().to_owned())),
            None => name.clone_from(word),
        }
    }
    // Before the file is looked for, as in xm: nothing is announced where a word is wrong.
    draft::settings(&words, Path::new(&name), &[]).map_err(Failure::Plain)?;
    let file =
        file::find(&name, parsed.value(&["path"]).unwrap_or(file::DEFAULT_PATH)).map_err(Failure::Plain)?;
    if !quiet {
        out.line(&format!("Using config file \"{}\".", file::shown(&file)))?;
        out.flush()?;
    }
    let lines = file::read(&file).map_err(Failure::Plain)?;
    let settings = draft::settings(&words, &file, &lines).map_err(Failure::Plain)?;
    Ok(Chosen { file, settings })
}

/// Reads a configuration named by a word, with variables: for `lab run`.
///
/// # Errors
/// As for `create`.
pub fn read_words(words: &[String], out: &mut Output) -> Result<Chosen, Failure> {
    let parsed = Parsed { options: Vec::new(), words: words.to_vec() };
    choose(&parsed, true, out)
}

fn create(context: &mut Context<'_>, chosen: &Chosen, parsed: &Parsed, quiet: bool) -> Result<(), Failure> {
    let paused = parsed.has(&["p", "paused"]);
    let with_console = parsed.has(&["c", "console_autoconnect"]);
    let mut client = context.connect()?;
    let name = chosen.settings.name.clone();
    // With a console it starts paused, so that not a byte of its output is missed.
    let created = build::create(&mut client, &chosen.settings, paused || with_console, context.out)?;
    if context.json {
        context.out.json(&json!({
            "name": name,
            "domid": created.domid,
            "uuid": uuid_text(&created.uuid),
            "paused": paused,
            "exits": created.exits,
            "hypercalls": created.hypercalls,
            "phases": created.phases.iter().map(|phase| json!({ "name": phase.name, "us": phase.us })).collect::<Vec<_>>(),
        }))?;
    } else if !quiet {
        context.out.line(&format!("Started domain {name} (id={})", created.domid))?;
    }
    if !with_console {
        return Ok(());
    }
    let domain = uuid_text(&created.uuid);
    let console = Console::open(&mut client, &domain, true)?
        .map_err(|_| Failure::Code(exit::FAILED, "Could not start console".into()))?;
    if !paused {
        client
            .call::<DomainUnpause>(&DomainRef(domain))?
            .map_err(|_| Failure::Plain(format!("Failed to unpause domain {name}")))?;
    }
    console.interact(&mut client, context.out)?;
    Ok(())
}

/// What `--help_config` prints.
fn values() -> String {
    let about = |name: &str| match name {
        "name" => "Domain name. Must be unique.",
        "uuid" => "Domain UUID; drawn at random unless given.",
        "memory" => "Memory in MiB.",
        "maxmem" => "The most memory that it may ever have, in MiB.",
        "vcpus" => "Virtual processors online at start.",
        "cpus" => {
            "The processors that its virtual ones may run on: a list such as 0-3,^1 for all, or a list of such lists."
        }
        "maxvcpus" => "The most virtual processors that it may ever have.",
        "kernel" => "Path of the kernel, or bundle:NAME.",
        "ramdisk" => "Path of the ramdisk, or bundle:NAME.",
        "extra" => "More words for the kernel's command line.",
        "root" => "The kernel's root= parameter.",
        "cmdline" => "The kernel's whole command line, instead of root and extra.",
        "on_poweroff" => "What follows a power-off: destroy, restart, preserve, rename-restart.",
        "on_reboot" => "What follows a reboot.",
        "on_crash" => "What follows a crash.",
        _ => "How it boots: pvh (linux and generic mean the same).",
    };
    let lines = USED.iter().map(|name| format!("{:<21}{}\n", format!("{name}=VALUE"), about(name)));
    format!("\nValues:\n\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use crate::connect::Options;
    use crate::output::testing::captured;

    fn xm(words: &[&str]) -> (u8, String, String) {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        captured(|out| crate::xm::run(&words, &Options::default(), out))
    }

    #[test]
    fn a_dry_run_announces_the_file_and_prints_the_form() {
        let (code, stdout, stderr) = xm(&[
            "create",
            "-n",
            "/dev/null",
            "memory=32",
            "name=zz",
            "kernel=bundle:k",
            "root=/dev/hda1",
            "vcpus=2",
        ]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert!(
            stdout.starts_with("Using config file \"/dev/null\".\n(vm\n    (name zz)\n    (memory 32)\n"),
            "{stdout}"
        );
        let (_, quiet, _) = xm(&["create", "-qn", "/dev/null", "name=zz"]);
        assert!(quiet.starts_with("(vm"), "{quiet}");
    }

    #[test]
    fn mistakes_give_one_error_and_exit_code_1() {
        for (words, text) in [
            (&["create", "/no/such.cfg"][..], "Error: Unable to open config file: /no/such.cfg\n"),
            (&["create", "-Q"], "Error: option -Q not recognized\n"),
            (&["create", "/dev/null", "memory=abc"], "Error: Invalid value: abc\n"),
            (&["create", "/no/such.cfg", "memory=abc"], "Error: Invalid value: abc\n"),
            (
                &["create", "-q", "/dev/null", "kernel=/no/kernel"],
                "Error: Cannot find kernel \"/no/kernel\"\n",
            ),
            (
                &["create", "-F", "x.sxp"],
                "Error: '-F' (SXP files) is not available in this release of nanodom\n",
            ),
        ] {
            assert_eq!(xm(words), (1, String::new(), text.to_owned()), "{words:?}");
        }
    }
}
