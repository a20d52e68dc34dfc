//! A domain's settings: from the file and the command line, checked, with xm's defaults.

use std::path::{Path, PathBuf};

use proto::domain::{Action, Uuid};
use proto::vcpu::CpuSet;

use super::cpus::Cpus;
use super::syntax::{Assignment, Value, parse_int};
use super::variables::{Support, nearest, support};
use crate::output::uuid_text;
use crate::sxp::Sxp;

/// Where a domain's kernel or ramdisk comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file of this machine.
    File(PathBuf),
    /// `bundle:NAME`: an image that the control domain was started with.
    Bundle(String),
}

impl Source {
    /// The source as it is written.
    pub fn text(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Bundle(name) => format!("bundle:{name}"),
        }
    }
}

/// What a domain is to be, before its images are known by their contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// Its uuid, if one was given.
    pub uuid: Option<Uuid>,
    /// Memory at start, in MiB.
    pub memory: u32,
    /// The most memory, in MiB, if it was given.
    pub maxmem: Option<u32>,
    /// vCPUs online at start.
    pub vcpus: u32,
    /// The most vCPUs, if it was given.
    pub maxvcpus: Option<u32>,
    /// On which CPUs its vCPUs may run, if that was given.
    pub cpus: Option<Cpus>,
    /// The kernel.
    pub kernel: Option<Source>,
    /// The ramdisk.
    pub ramdisk: Option<Source>,
    /// `root=`, without those words.
    pub root: String,
    /// More words for the kernel.
    pub extra: String,
    /// The whole command line, instead of the two before.
    pub cmdline: Option<String>,
    /// How it boots, as it was written.
    pub builder: String,
    /// What follows when it powers itself off.
    pub on_poweroff: Option<Action>,
    /// What follows when it reboots itself.
    pub on_reboot: Option<Action>,
    /// What follows when it crashes.
    pub on_crash: Option<Action>,
}

impl Settings {
    /// Reads the words of the command line, then the file; words win.
    ///
    /// # Errors
    /// The text that follows `Error: `: an unknown or unsupported variable, an impossible value.
    pub fn read(words: &[(String, String)], file: &Path, lines: &[Assignment]) -> Result<Settings, String> {
        let default_name =
            file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut settings = Settings::default_of(default_name);
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
        settings.check_together()?;
        Ok(settings)
    }

    /// What no variable alone can be wrong about.
    fn check_together(&self) -> Result<(), String> {
        match &self.cpus {
            Some(Cpus::Each(lists)) if lists.len() != self.maxvcpus.unwrap_or(self.vcpus) as usize => {
                Err("vcpus and the item number of cpus are not same".into())
            }
            _ => Ok(()),
        }
    }

    fn default_of(name: String) -> Settings {
        Settings {
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
            "cpus" => self.cpus = Cpus::read(value)?,
            "kernel" => self.kernel = source("kernel", value)?,
            "ramdisk" => self.ramdisk = source("ramdisk", value)?,
            "root" => {
                let root = text(value)?;
                self.root = root.strip_prefix("root=").unwrap_or(&root).to_owned();
            }
            "extra" => self.extra = text(value)?,
            "cmdline" => self.cmdline = Some(text(value)?),
            "builder" | "type" => self.builder = builder(name, value)?,
            "on_poweroff" => self.on_poweroff = Some(action("shutdown", value)?),
            "on_reboot" => self.on_reboot = Some(action("reboot", value)?),
            "on_crash" => self.on_crash = Some(action("crash", value)?),
            _ => unreachable!("`check` let no other variable pass"),
        }
        Ok(())
    }

    /// The CPUs of each vCPU that may ever be.
    pub fn cpu_sets(&self) -> Vec<CpuSet> {
        let most = self.maxvcpus.unwrap_or(self.vcpus);
        self.cpus.as_ref().map(|cpus| cpus.sets(most)).unwrap_or_default()
    }

    /// The kernel's command line.
    pub fn command_line(&self) -> String {
        if let Some(line) = &self.cmdline {
            return line.clone();
        }
        match (self.root.as_str(), self.extra.as_str()) {
            ("", extra) => extra.to_owned(),
            (root, "") => format!("root={root}"),
            (root, extra) => format!("root={root} {extra}"),
        }
    }

    /// What `create -n` prints: the form that xm sent to xend.
    pub fn sxp(&self) -> Sxp {
        let number = |key: &str, value: u32| Sxp::pair(key, i64::from(value));
        let mut form: Vec<Sxp> = vec!["vm".into(), Sxp::pair("name", self.name.as_str())];
        if self.memory != 0 {
            form.push(number("memory", self.memory));
        }
        form.extend(self.maxmem.filter(|&most| most != 0).map(|most| number("maxmem", most)));
        for (key, action) in
            [("on_poweroff", self.on_poweroff), ("on_reboot", self.on_reboot), ("on_crash", self.on_crash)]
        {
            form.extend(action.map(|action| Sxp::pair(key, action_word(action))));
        }
        form.extend([Sxp::pair("on_xend_start", "ignore"), Sxp::pair("on_xend_stop", "ignore")]);
        match self.maxvcpus {
            Some(most) => {
                let online = 1i64.checked_shl(self.vcpus).map_or(-1, |bit| bit - 1);
                form.extend([Sxp::pair("vcpu_avail", online), number("vcpus", most)]);
            }
            None => form.push(number("vcpus", self.vcpus)),
        }
        form.extend(self.uuid.map(|uuid| Sxp::pair("uuid", uuid_text(&uuid))));
        form.extend(self.cpus.as_ref().map(|cpus| Sxp::pair("cpus", cpus.sxp())));
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
    let digits: Vec<u8> =
        text(value)?.chars().filter(|c| *c != '-').filter_map(|c| Some(c.to_digit(16)? as u8)).collect();
    let is_clean = text(value)?.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    match Uuid::try_from(bytes) {
        Ok(uuid) if is_clean && digits.len() == 32 => Ok(uuid),
        _ => Err(invalid(value)),
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

fn action(event: &str, value: &Value) -> Result<Action, String> {
    match text(value)?.as_str() {
        "destroy" => Ok(Action::Destroy),
        "restart" => Ok(Action::Restart),
        "preserve" => Ok(Action::Preserve),
        "rename-restart" => Ok(Action::RenameRestart),
        "coredump-destroy" if event == "crash" => Ok(Action::CoredumpDestroy),
        "coredump-restart" if event == "crash" => Ok(Action::CoredumpRestart),
        _ => Err(format!("Invalid Configuration: Invalid event handling mode: {event}")),
    }
}

/// A rule in the word that configurations have for it.
pub fn action_word(action: Action) -> &'static str {
    match action {
        Action::Destroy => "destroy",
        Action::Restart => "restart",
        Action::Preserve => "preserve",
        Action::RenameRestart => "rename-restart",
        Action::CoredumpDestroy => "coredump-destroy",
        Action::CoredumpRestart => "coredump-restart",
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
