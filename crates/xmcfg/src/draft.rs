//! From the words of the command line and the lines of a simple file to a form.

use std::path::Path;

use proto::domain::{Action, Uuid};

use crate::actions::{self, Event};
use crate::cpus::Cpus;
use crate::settings::{Settings, Source};
use crate::sxp::Sxp;
use crate::syntax::Assignment;
use crate::uuid;
use crate::value::{Value, parse_int};
use crate::variables::{Support, nearest, support};

/// Reads the words of the command line, then the file; words win.
///
/// # Errors
/// The text that follows `Error: `: an unknown or unsupported variable, an impossible value.
pub fn settings(words: &[(String, String)], file: &Path, lines: &[Assignment]) -> Result<Settings, String> {
    let form = Draft::read(words, file, lines)?.sxp();
    Settings::from_form(&form).map_err(|error| error.to_string())
}

/// What variables say.
#[derive(Clone, Debug, PartialEq)]
struct Draft {
    /// Its name.
    name: String,
    /// Its uuid, if one was given.
    uuid: Option<Uuid>,
    /// Memory at start, in MiB.
    memory: u32,
    /// The most memory, in MiB, if it was given.
    maxmem: Option<u32>,
    /// vCPUs online at start.
    vcpus: u32,
    /// The most vCPUs, if it was given.
    maxvcpus: Option<u32>,
    /// On which CPUs its vCPUs may run, if that was given.
    cpus: Option<Sxp>,
    /// The kernel.
    kernel: Option<Source>,
    /// The ramdisk.
    ramdisk: Option<Source>,
    /// `root=`, without those words.
    root: String,
    /// More words for the kernel.
    extra: String,
    /// The whole command line, instead of the two before.
    cmdline: Option<String>,
    /// How it boots, as it was written.
    builder: String,
    /// What follows when it powers itself off.
    on_poweroff: Option<Action>,
    /// What follows when it reboots itself.
    on_reboot: Option<Action>,
    /// What follows when it crashes.
    on_crash: Option<Action>,
}

impl Draft {
    fn read(words: &[(String, String)], file: &Path, lines: &[Assignment]) -> Result<Draft, String> {
        let default_name =
            file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut settings = Draft::default_of(default_name);
        for Assignment { line, name, value } in lines {
            let place = format!("{}:{line}", file.display());
            check(name, value, &place)?;
            if support(name) == Support::Used && !words.iter().any(|(word, _)| word == name) {
                settings.set(name, value).map_err(|text| format!("{text} ({place}: {name})"))?;
            }
        }
        for (name, text) in words {
            let value = Value::Text(text.clone());
            check(name, &value, "the command line")?;
            if support(name) == Support::Used {
                settings.set(name, &value)?;
            }
        }
        Ok(settings)
    }

    fn default_of(name: String) -> Draft {
        Draft {
            name,
            uuid: None,
            memory: 128,
            maxmem: None,
            vcpus: 1,
            maxvcpus: None,
            cpus: None,
            kernel: None,
            ramdisk: None,
            root: String::new(),
            extra: String::new(),
            cmdline: None,
            builder: "linux".into(),
            on_poweroff: None,
            on_reboot: None,
            on_crash: None,
        }
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        match name {
            "name" => self.name = text(value)?,
            "uuid" => self.uuid = Some(uuid(value)?),
            "memory" => self.memory = number(value)?,
            "maxmem" => self.maxmem = Some(number(value)?),
            "vcpus" => self.vcpus = number(value)?,
            "maxvcpus" => self.maxvcpus = Some(number(value)?),
            "cpus" => self.cpus = cpus(value)?,
            "kernel" => self.kernel = source("kernel", value)?,
            "ramdisk" => self.ramdisk = source("ramdisk", value)?,
            "root" => {
                let root = text(value)?;
                self.root = root.strip_prefix("root=").unwrap_or(&root).to_owned();
            }
            "extra" => self.extra = text(value)?,
            "cmdline" => self.cmdline = Some(text(value)?),
            "builder" | "type" => self.builder = builder(name, value)?,
            "on_poweroff" => self.on_poweroff = Some(action(Event::Poweroff, value)?),
            "on_reboot" => self.on_reboot = Some(action(Event::Reboot, value)?),
            "on_crash" => self.on_crash = Some(action(Event::Crash, value)?),
            _ => unreachable!("`check` let no other variable pass"),
        }
        Ok(())
    }

    /// What `create -n` prints: the form that xm sent to xend.
    fn sxp(&self) -> Sxp {
        let number = |key: &str, value: u32| Sxp::pair(key, i64::from(value));
        let mut form: Vec<Sxp> = vec!["vm".into(), Sxp::pair("name", self.name.as_str())];
        if self.memory != 0 {
            form.push(number("memory", self.memory));
        }
        form.extend(self.maxmem.filter(|&most| most != 0).map(|most| number("maxmem", most)));
        for (key, action) in
            [("on_poweroff", self.on_poweroff), ("on_reboot", self.on_reboot), ("on_crash", self.on_crash)]
        {
            form.extend(action.map(|action| Sxp::pair(key, actions::word(action))));
        }
        form.extend([Sxp::pair("on_xend_start", "ignore"), Sxp::pair("on_xend_stop", "ignore")]);
        match self.maxvcpus {
            Some(most) => {
                let online = 1i64.checked_shl(self.vcpus).map_or(-1, |bit| bit - 1);
                form.extend([Sxp::pair("vcpu_avail", online), number("vcpus", most)]);
            }
            None => form.push(number("vcpus", self.vcpus)),
        }
        form.extend(self.uuid.map(|uuid| Sxp::pair("uuid", uuid::text(&uuid))));
        form.extend(self.cpus.clone().map(|cpus| Sxp::pair("cpus", cpus)));
        form.extend([
            Sxp::pair("oos", 1i64),
            Sxp::pair("image", self.image_sxp()),
            Sxp::pair("s3_integrity", 1i64),
        ]);
        Sxp::List(form)
    }

    fn image_sxp(&self) -> Sxp {
        let mut image: Vec<Sxp> = vec![self.builder.as_str().into()];
        image.extend(self.kernel.as_ref().map(|kernel| Sxp::pair("kernel", kernel.text())));
        image.extend(self.ramdisk.as_ref().map(|ramdisk| Sxp::pair("ramdisk", ramdisk.text())));
        let (root, args) = match &self.cmdline {
            Some(line) => ("", line.as_str()),
            None => (self.root.as_str(), self.extra.as_str()),
        };
        if !root.is_empty() {
            image.push(Sxp::pair("root", root));
        }
        image.push(Sxp::pair("videoram", 4i64));
        if !args.is_empty() {
            image.push(Sxp::pair("args", args));
        }
        image.extend([Sxp::pair("tsc_mode", 0i64), Sxp::pair("nomigrate", 0i64)]);
        Sxp::List(image)
    }
}

/// Refuses variables that nobody knows, and those that mean something that this release cannot do.
fn check(name: &str, value: &Value, place: &str) -> Result<(), String> {
    match (support(name), value) {
        (Support::Used, _) => Ok(()),
        (Support::Absent, Value::List(items)) if items.is_empty() => Ok(()),
        (Support::Absent, Value::Text(text)) if text.is_empty() => Ok(()),
        (Support::Absent, Value::List(_)) => Err(format!(
            "{place}: '{name}' is not available in this release of nanodom: domains have no devices yet; \
             remove the line, or leave its list empty"
        )),
        (Support::Absent, _) => {
            Err(format!("{place}: '{name}' is not available in this release of nanodom; remove it"))
        }
        (Support::Unknown, _) => {
            Err(format!("{place}: unknown variable '{name}'; did you mean '{}'?", nearest(name)))
        }
    }
}

fn invalid(value: &Value) -> String {
    format!("Invalid value: {}", value.text())
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::List(_) => Err(invalid(value)),
        _ => Ok(value.text()),
    }
}

fn number(value: &Value) -> Result<u32, String> {
    let number = match value {
        Value::Int(number) => Some(*number),
        Value::Text(text) => parse_int(text.trim()),
        Value::Float(_) | Value::List(_) => None,
    };
    number.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| invalid(value))
}

fn uuid(value: &Value) -> Result<Uuid, String> {
    uuid::parse(&text(value)?).ok_or_else(|| invalid(value))
}

fn cpus(value: &Value) -> Result<Option<Sxp>, String> {
    let form = Sxp::from(value);
    match Cpus::read(&form) {
        Ok(cpus) => Ok(cpus.map(|_| form)),
        Err(not) => Err(format!("cpus = {}: no list of CPUs, such as 0-3,^1", not.0)),
    }
}

/// An image's source, as xm resolved it: a path with a directory is kept, a bare name in the current directory is made absolute.
fn source(what: &str, value: &Value) -> Result<Option<Source>, String> {
    let name = text(value)?;
    if name.is_empty() {
        return Ok(None);
    }
    if let Some(name) = name.strip_prefix("bundle:") {
        return Ok(Some(Source::Bundle(name.into())));
    }
    let path = Path::new(&name);
    if !path.exists() {
        return Err(format!("Cannot find {what} \"{name}\""));
    }
    let is_bare = path.parent().is_some_and(|dir| dir.as_os_str().is_empty());
    let path = if is_bare { std::path::absolute(path).unwrap_or(path.to_owned()) } else { path.to_owned() };
    Ok(Some(Source::File(path)))
}

fn builder(name: &str, value: &Value) -> Result<String, String> {
    let word = text(value)?;
    match (name, word.as_str()) {
        (_, "pvh") | ("builder", "linux" | "generic") => Ok(word),
        _ => Err(format!(
            "{name} = \"{word}\" is not available in this release of nanodom; domains boot as PVH: leave it out, \
             or write {name} = \"pvh\""
        )),
    }
}

fn action(event: Event, value: &Value) -> Result<Action, String> {
    let wrong = || format!("Invalid Configuration: Invalid event handling mode: {}", event.word());
    event.action(&text(value)?).ok_or_else(wrong)
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
