//! The corpus: configurations as people have them, each beside what comes of it.
//!
//! `NAME.cfg` is a configuration; its first line may be `# words: NAME=VALUE ...`, what the command line says. Beside it is
//! `NAME.sxp`, the form, or `NAME.err`, the error; and `NAME.notes`, where there are warnings or reasons for which no domain can be
//! created from it. `UPDATE=1 cargo test -p xmcfg --test corpus` writes them: read them before you commit them.

use std::fs;
use std::path::{Path, PathBuf};

use xmcfg::load::{File, load};
use xmcfg::refusal::refusals;
use xmcfg::settings::Settings;
use xmcfg::sxp::{Sxp, first};
use xmcfg::variables::Variables;
use xmcfg::vm::{Around, Made};
use xmcfg::xml;
use xmpy::{Host, PathKind};

/// A machine that has every file but those below /missing.
struct Machine;

impl Host for Machine {
    fn path_kind(&self, path: &str) -> Option<PathKind> {
        (!path.starts_with("/missing/")).then_some(PathKind::File)
    }

    fn current_dir(&self) -> Option<String> {
        Some("/etc/xen".into())
    }

    fn environ(&self) -> Vec<(String, String)> {
        vec![("HOME".into(), "/root".into())]
    }
}

struct Case {
    name: String,
    path: PathBuf,
    source: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries =
        fs::read_dir(dir).expect("the corpus is there").map(|entry| entry.expect("it can be read").path());
    let mut cases: Vec<Case> = entries
        .filter(|path| path.extension().is_some_and(|end| end == "cfg"))
        .map(|path| Case {
            name: path.file_name().expect("it has a name").to_string_lossy().into_owned(),
            source: fs::read(&path).expect("it can be read"),
            path,
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn made(case: &Case) -> Result<Made, String> {
    let source = String::from_utf8_lossy(&case.source);
    let words = source.lines().next().and_then(|line| line.strip_prefix("# words: ")).unwrap_or_default();
    let words = words.split(' ').filter_map(|word| word.split_once('='));
    let vars = Variables::of_words(words).map_err(|error| error.to_string())?;
    let file = File { path: &case.name, bytes: &case.source };
    let around = Around { file_name: &case.name, with_console: false, host: &Machine };
    load(file, vars, false, around).map_err(|error| error.to_string())
}

/// Warnings, and what keeps its domain from being created.
fn notes(made: &Made) -> String {
    let wrong = Settings::from_form(&made.form).err().map(|error| error.to_string());
    let refused = refusals(&made.form).into_iter().map(|refusal| refusal.to_string());
    let refused = wrong.into_iter().chain(refused).map(|why| format!("create refuses: {why}"));
    made.warnings.iter().cloned().chain(refused).map(|line| line + "\n").collect()
}

#[test]
fn every_configuration_comes_to_what_is_beside_it() {
    let cases = cases();
    assert!(cases.len() >= 60, "only {} configurations", cases.len());
    let is_update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for case in &cases {
        let (sxp, err, notes) = match made(case) {
            Ok(made) => (made.form.pretty(), String::new(), notes(&made)),
            Err(error) => (String::new(), error + "\n", String::new()),
        };
        for (end, text) in [("sxp", sxp), ("err", err), ("notes", notes)] {
            let beside = case.path.with_extension(end);
            let expected = fs::read_to_string(&beside).unwrap_or_default();
            if expected == text {
                continue;
            }
            if !is_update {
                wrong.push(format!("{} {end}:\n--- expected\n{expected}--- found\n{text}", case.name));
            } else if text.is_empty() {
                fs::remove_file(beside).expect("it can be removed");
            } else {
                fs::write(beside, text).expect("it can be written");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_form_reads_as_it_was_printed_and_comes_to_the_same_settings() {
    for case in cases() {
        let Ok(Made { form, .. }) = made(&case) else { continue };
        let again = first(form.pretty().as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(again.pretty(), form.pretty(), "{}", case.name);
        let settings =
            Settings::from_form(&form).map(|settings| (settings.name.clone(), settings.command_line.clone()));
        let reread = Settings::from_form(&again)
            .map(|settings| (settings.name.clone(), settings.command_line.clone()));
        assert_eq!(reread, settings, "{}", case.name);
        assert_eq!(refusals(&again), refusals(&form), "{}", case.name);
    }
}

#[test]
fn every_form_as_xml_is_valid_and_keeps_its_kernel_memory_and_devices() {
    let classes = |form: &Sxp| -> Vec<String> {
        let classes = form.all("device").filter_map(|device| device.items().get(1)?.head());
        let mut classes: Vec<String> = classes
            .filter(|class| !matches!(*class, "ioports" | "irq" | "vusb"))
            .map(str::to_owned)
            .collect();
        classes.sort();
        classes
    };
    let mut printed = 0;
    for case in cases() {
        let Ok(Made { form, .. }) = made(&case) else { continue };
        // Xen-API has no word for some rules, and memory is a number there.
        let Ok(xml) = xml::print(&form) else { continue };
        let again = xml::read(xml.text.as_bytes(), false)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", case.name, xml.text));
        printed += 1;
        let image = |form: &Sxp, key: &str| form.get("image").and_then(|image| image.text(key));
        assert_eq!(again.text("name"), form.text("name"), "{}", case.name);
        assert_eq!(again.text("vcpus"), form.text("vcpus"), "{}", case.name);
        assert_eq!(classes(&again), classes(&form), "{}", case.name);
        if image(&form, "tsc_mode").is_some() && form.get("image").and_then(Sxp::head) != Some("hvm") {
            assert_eq!(image(&again, "kernel"), image(&form, "kernel"), "{}", case.name);
        }
    }
    assert!(printed >= 40, "only {printed} forms as XML");
}
