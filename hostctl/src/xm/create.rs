//! `xm create`: a domain from a file and words.

mod dry_run;

use std::path::PathBuf;

use proto::domain::{Created, DomainRef};
use proto::endpoints::DomainUnpause;
use serde_json::{Value, json};
use xmcfg::load::{File, load};
use xmcfg::settings::Settings;
use xmcfg::sxp::{self, Sxp};
use xmcfg::table;
use xmcfg::variables::Variables;
use xmcfg::vm::Around;

use super::Context;
use super::failure::Failure;
use super::getopt::{Parsed, Spec, parse};
use crate::attach::Console;
use crate::build;
use crate::client::Client;
use crate::config::file;
use crate::config::machine::Machine;
use crate::exit;
use crate::output::{Output, uuid_text};

/// The options, as usage shows them.
pub const OPTIONS: &[(&str, &str)] = &[
    ("-h, --help", "Print this help."),
    ("--help_config", "Print the variables of a configuration."),
    ("-q, --quiet", "Print nothing when all goes well."),
    ("--path=PATH", "Look for the file in these directories. Default: .:/etc/xen"),
    ("-f FILE, --defconfig=FILE", "Use this file. A word without '=' does the same. Default: xmdefconfig"),
    (
        "-F FILE, --config=FILE",
        "Use this file, which has the configuration as SXP, as -n and 'list --long' print it. Variables of the command line \
         do not change it.",
    ),
    ("-n, --dryrun", "Print the configuration as SXP, create nothing."),
    ("-x, --xmldryrun", "Print the configuration as XML, create nothing."),
    ("-s, --skipdtd", "Do not check an XML file against the DTD."),
    ("--allow-exec", "Let the configuration read other files and run commands, as you."),
    ("-p, --paused", "Leave the domain paused."),
    ("-c, --console_autoconnect", "Attach to the console."),
    ("--json", "Print what was created, or with -n what would be, as JSON."),
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
        ("allow-exec", false),
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
    let quiet = is_quiet(context, &parsed);
    match chosen_by(context, &parsed)? {
        Some(chosen) => create(context, &chosen, &parsed, quiet),
        None => Ok(()),
    }
}

fn is_quiet(context: &Context<'_>, parsed: &Parsed) -> bool {
    context.json || parsed.has(&["q", "quiet"])
}

/// The configuration that the words name; `None` where something was only to be printed.
fn chosen_by(context: &mut Context<'_>, parsed: &Parsed) -> Result<Option<Chosen>, Failure> {
    if parsed.has(&["help_config"]) {
        context.out.text(&table::help())?;
        return Ok(None);
    }
    if parsed.has(&["vncviewer", "vncviewer-autopass"]) {
        context.out.complain(
            "Warning: --vncviewer has no effect: domains have no display in this release of nanodom.",
        );
    }
    let (file, form) = choose(parsed, is_quiet(context, parsed), context.out)?;
    if parsed.has(&["n", "dryrun", "x", "xmldryrun"]) {
        dry_run::print(context, &form, parsed.has(&["x", "xmldryrun"]))?;
        return Ok(None);
    }
    Ok(Some(Chosen { file, settings: Settings::from_form(&form).map_err(plain)? }))
}

fn plain(error: impl std::fmt::Display) -> Failure {
    Failure::Plain(error.to_string())
}

/// Finds and reads the configuration that the words name: its file, and the form that xm sent to xend.
fn choose(parsed: &Parsed, quiet: bool, out: &mut Output) -> Result<(PathBuf, Sxp), Failure> {
    let mut name = parsed.value(&["f", "defconfig"]).unwrap_or(file::DEFAULT_FILE).to_owned();
    let mut words = Vec::new();
    for word in &parsed.words {
        match word.split_once('=') {
            Some(pair) => words.push(pair),
            None => name.clone_from(word),
        }
    }
    // Before the file is looked for, as in xm: nothing is announced where a word is wrong.
    let vars = Variables::of_words(words.iter().copied()).map_err(plain)?;
    if let Some(ready) = parsed.value(&["F", "config"]) {
        if !words.is_empty() {
            let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
            out.complain(&format!("Warning: -F takes no variables; {} left out.", names.join(", ")));
        }
        let file = PathBuf::from(ready);
        let bytes = file::read(&file).map_err(Failure::Plain)?;
        let form = sxp::first(&bytes).map_err(|error| Failure::Plain(format!("{ready}: {error}")))?;
        return Ok((file, form));
    }
    let file =
        file::find(&name, parsed.value(&["path"]).unwrap_or(file::DEFAULT_PATH)).map_err(Failure::Plain)?;
    if !quiet {
        out.line(&format!("Using config file \"{}\".", file::shown(&file)))?;
        out.flush()?;
    }
    let bytes = file::read(&file).map_err(Failure::Plain)?;
    let path = file.display().to_string();
    let machine = Machine::new(parsed.has(&["allow-exec"]));
    let around = Around {
        file_name: &file::base(&file),
        with_console: parsed.has(&["c", "console_autoconnect"]),
        host: &machine,
    };
    let skip_dtd = parsed.has(&["s", "skipdtd"]);
    let made = load(File { path: &path, bytes: &bytes }, vars, skip_dtd, around);
    // What the script printed comes before what is wrong with it.
    machine.hand_on(out)?;
    let made = made.map_err(plain)?;
    made.warnings.iter().for_each(|warning| out.complain(warning));
    Ok((file, made.form))
}

/// Reads a configuration named by a word, with variables: for `lab run`.
///
/// # Errors
/// As for `create`.
pub fn read_words(words: &[String], out: &mut Output) -> Result<Chosen, Failure> {
    let parsed = Parsed { options: Vec::new(), words: words.to_vec() };
    let (file, form) = choose(&parsed, true, out)?;
    let settings = Settings::from_form(&form).map_err(plain)?;
    build::check(&settings)?;
    Ok(Chosen { file, settings })
}

fn create(context: &mut Context<'_>, chosen: &Chosen, parsed: &Parsed, quiet: bool) -> Result<(), Failure> {
    let paused = parsed.has(&["p", "paused"]);
    let with_console = parsed.has(&["c", "console_autoconnect"]);
    // Before a machine is looked for: it would not change the answer.
    build::check(&chosen.settings)?;
    let mut client = context.connect()?;
    let name = chosen.settings.name.clone();
    // With a console it starts paused, so that not a byte of its output is missed.
    let created = build::create(&mut client, &chosen.settings, paused || with_console, context.out)?;
    if context.json {
        context.out.json(&object(&name, &created, paused))?;
    } else if !quiet {
        context.out.line(&format!("Started domain {name} (id={})", created.domid))?;
    }
    if with_console { attach(context, &mut client, &name, &created, paused) } else { Ok(()) }
}

/// A domain that was built, as JSON.
pub(super) fn object(name: &str, created: &Created, paused: bool) -> Value {
    json!({
        "name": name,
        "domid": created.domid,
        "uuid": uuid_text(&created.uuid),
        "paused": paused,
        "exits": created.exits,
        "hypercalls": created.hypercalls,
        "phases": created.phases.iter().map(|phase| json!({ "name": phase.name, "us": phase.us })).collect::<Vec<_>>(),
    })
}

/// Attaches to the console of a domain that was built paused for it, and lets it run unless it is to stay so.
///
/// # Errors
/// There is no console, or it cannot be started.
pub(super) fn attach(
    context: &mut Context<'_>,
    client: &mut Client,
    name: &str,
    created: &Created,
    paused: bool,
) -> Result<(), Failure> {
    let domain = uuid_text(&created.uuid);
    let console = Console::open(client, &domain, true)?
        .map_err(|_| Failure::Code(exit::FAILED, "Could not start console".into()))?;
    if !paused {
        client
            .call::<DomainUnpause>(&DomainRef(domain))?
            .map_err(|_| Failure::Plain(format!("Failed to unpause domain {name}")))?;
    }
    console.interact(client, context.out)?;
    Ok(())
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
                &["create", "-F", "/no/x.sxp"],
                "Error: Cannot read file /no/x.sxp: No such file or directory\n",
            ),
            (&["create", "-F", "/dev/null"], "Error: /dev/null: line 1: there is no form\n"),
            (&["create", "-q", "/"], "Error: Cannot read file /: it is a directory; name a file in it\n"),
        ] {
            assert_eq!(xm(words), (1, String::new(), text.to_owned()), "{words:?}");
        }
    }
}
