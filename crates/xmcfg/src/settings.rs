//! What a form says to this release: the typed configuration of a domain.

use std::path::PathBuf;

use proto::domain::{Action, Uuid};
use proto::vcpu::CpuSet;
use thiserror::Error;

use crate::actions::{self, Event, OnStart, OnStop};
use crate::cpus::{self, Cpus};
use crate::sxp::Sxp;
use crate::uuid;

/// Where a domain's kernel or ramdisk comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file of this machine.
    File(PathBuf),
    /// `bundle:NAME`: an image that the control domain was started with.
    Bundle(String),
}

impl Source {
    /// Reads it as it is written; an empty text is none.
    pub fn named(text: &str) -> Option<Source> {
        match text.strip_prefix("bundle:") {
            Some(name) => Some(Source::Bundle(name.into())),
            None => (!text.is_empty()).then(|| Source::File(text.into())),
        }
    }

    /// The source as it is written.
    pub fn text(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Bundle(name) => format!("bundle:{name}"),
        }
    }
}

/// What a domain is to be, before its images are known by their contents.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    form: Sxp,
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
    /// The most vCPUs.
    pub max_vcpus: u32,
    /// On which CPUs its vCPUs may run, if that was given.
    pub cpus: Option<Cpus>,
    /// Its share of the processors beside other domains, if it was given.
    pub cpu_weight: Option<u16>,
    /// The most that it may have, in per cent of a processor, if it was given; 0 is no limit.
    pub cpu_cap: Option<u16>,
    /// The pool of processors that it runs in, if it was given.
    pub pool: Option<String>,
    /// The kernel.
    pub kernel: Option<Source>,
    /// The ramdisk.
    pub ramdisk: Option<Source>,
    /// The kernel's command line.
    pub command_line: String,
    /// What follows when it powers itself off.
    pub on_poweroff: Option<Action>,
    /// What follows when it reboots itself.
    pub on_reboot: Option<Action>,
    /// What follows when it crashes.
    pub on_crash: Option<Action>,
    /// What follows when the manager of managed domains begins.
    pub on_start: OnStart,
    /// What follows when it ends.
    pub on_stop: OnStop,
}

/// A form is no configuration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    /// It is something else.
    #[error("this is no domain's configuration: the form begins with '{0}', not with 'vm' or 'domain'")]
    NoVm(String),
    /// A value that cannot be.
    #[error("Invalid value: {value}; {key} takes {takes}")]
    Invalid {
        /// Of what.
        key: &'static str,
        /// As it was written.
        value: String,
        /// What it could be.
        takes: &'static str,
    },
    /// A rule for a domain's end that there is not.
    #[error("Invalid Configuration: Invalid event handling mode: {0}")]
    Action(&'static str),
    /// The list of CPUs has not one item for each vCPU.
    #[error("vcpus and the item number of cpus are not same")]
    CpusCount,
    /// A list of CPUs is none.
    #[error("cpus = {0}: no list of CPUs, such as 0-3,^1")]
    Cpus(String),
}

impl Settings {
    /// Reads a form: `(vm ...)` as `create -n` prints it, or `(domain ...)` as `list --long` does, of a domain that runs or
    /// one that does not. What a running domain only is (its id, its state, its time) is passed over.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn from_form(form: &Sxp) -> Result<Settings, FormError> {
        if !matches!(form.head(), Some("vm" | "domain")) {
            let begin: String = form.head().map_or(form.flat(), str::to_owned).chars().take(40).collect();
            return Err(FormError::NoVm(begin));
        }
        let image = form.get("image").cloned().unwrap_or(Sxp::List(Vec::new()));
        let max_vcpus = number::<u32>(form, "vcpus")?.unwrap_or(1);
        let [on_poweroff, on_reboot, on_crash] = rules(form)?;
        let settings = Settings {
            name: form.text("name").unwrap_or_default(),
            uuid: parsed(form, "uuid", "32 hexadecimal digits", uuid::parse)?,
            memory: number(form, "memory")?.unwrap_or(128),
            maxmem: number(form, "maxmem")?.filter(|&most| most != 0),
            vcpus: online(form, max_vcpus)?,
            max_vcpus,
            cpus: cpus(form)?,
            cpu_weight: number(form, "cpu_weight")?,
            cpu_cap: number(form, "cpu_cap")?,
            pool: form.text("pool_name").filter(|name| !name.is_empty()),
            kernel: image.text("kernel").as_deref().and_then(Source::named),
            ramdisk: image.text("ramdisk").as_deref().and_then(Source::named),
            command_line: command_line(&image),
            on_poweroff,
            on_reboot,
            on_crash,
            on_start: parsed(form, "on_xend_start", "ignore or start", OnStart::named)?.unwrap_or_default(),
            on_stop: parsed(form, "on_xend_stop", "ignore, shutdown or suspend", OnStop::named)?
                .unwrap_or_default(),
            form: form.clone(),
        };
        match &settings.cpus {
            Some(Cpus::Each(lists)) if lists.len() != max_vcpus as usize => Err(FormError::CpusCount),
            _ => Ok(settings),
        }
    }

    /// The form that it was read from: nothing that was written is lost.
    pub fn form(&self) -> &Sxp {
        &self.form
    }

    /// Gives it a uuid, in the form too.
    pub fn set_uuid(&mut self, uuid: Uuid) {
        self.uuid = Some(uuid);
        self.form.set("uuid", uuid::text(&uuid));
    }

    /// Gives it another name, in the form too.
    pub fn set_name(&mut self, name: &str) {
        self.name = name.into();
        self.form.set("name", name);
    }

    /// The CPUs of each vCPU that may ever be.
    pub fn cpu_sets(&self) -> Vec<CpuSet> {
        self.cpus.as_ref().map(|cpus| cpus.sets(self.max_vcpus)).unwrap_or_default()
    }
}

/// A key's value, read by `read`; an empty text and an empty list say nothing.
fn parsed<T>(
    form: &Sxp,
    key: &'static str,
    takes: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, FormError> {
    let Some(value) = form.get(key) else { return Ok(None) };
    match value.atom() {
        None if value.items().is_empty() => Ok(None),
        Some(text) if text.is_empty() => Ok(None),
        text => text.and_then(|text| read(&text)).map(Some).ok_or_else(|| FormError::Invalid {
            key,
            value: value.atom().unwrap_or_else(|| value.flat()),
            takes,
        }),
    }
}

fn number<T: TryFrom<i64>>(form: &Sxp, key: &'static str) -> Result<Option<T>, FormError> {
    parsed(form, key, "a whole number", |text| T::try_from(crate::value::parse_int(text.trim())?).ok())
}

/// vCPUs online at start: what the mask `vcpu_avail` says, or what a running domain had, or all.
fn online(form: &Sxp, max_vcpus: u32) -> Result<u32, FormError> {
    let all = 1u128.checked_shl(max_vcpus).map_or(u128::MAX, |bit| bit - 1);
    let mask = |text: &str| {
        let mask = text.trim().parse::<u128>().ok()? & all;
        // Xen's guests find their vCPUs by number, so those that are online come first.
        (mask.trailing_ones() == mask.count_ones()).then_some(mask.count_ones())
    };
    let takes = "a mask of the vCPUs online at start, the first ones without a gap";
    let online = parsed(form, "vcpu_avail", takes, mask)?;
    Ok(match online {
        Some(online) => online,
        None => number::<u32>(form, "online_vcpus")?.filter(|&some| some > 0).unwrap_or(max_vcpus),
    })
}

/// `cpus`, with what the deprecated `cpu` adds to it as xend added it.
fn cpus(form: &Sxp) -> Result<Option<Cpus>, FormError> {
    let wrong = |cpus::NotCpus(text)| FormError::Cpus(text);
    let cpus = form.get("cpus").map(Cpus::read).transpose().map_err(wrong)?.flatten();
    match (number::<i64>(form, "cpu")?.filter(|&cpu| cpu >= 0), cpus) {
        (None, cpus) => Ok(cpus),
        (Some(cpu), Some(Cpus::All(text, _))) => {
            Cpus::read(&Sxp::Text(format!("{cpu},{text}"))).map_err(wrong)
        }
        (Some(_), each @ Some(_)) => Ok(each),
        (Some(cpu), None) => Cpus::read(&Sxp::Int(cpu)).map_err(wrong),
    }
}

/// The rules of power-off, reboot and crash; the deprecated `restart` wins over them, as it did in xend.
fn rules(form: &Sxp) -> Result<[Option<Action>; 3], FormError> {
    if let Some(rules) = form.text("restart").as_deref().and_then(actions::of_restart) {
        return Ok(rules.map(Some));
    }
    let rule = |key, event: Event| match form.text(key).filter(|word| !word.is_empty()) {
        None => Ok(None),
        Some(word) => event.action(&word).map(Some).ok_or(FormError::Action(event.word())),
    };
    Ok([
        rule("on_poweroff", Event::Poweroff)?,
        rule("on_reboot", Event::Reboot)?,
        rule("on_crash", Event::Crash)?,
    ])
}

/// The kernel's command line, put together as xend did.
fn command_line(image: &Sxp) -> String {
    let part = |key: &str, prefix: &str| {
        image.text(key).filter(|text| !text.is_empty()).map(|text| format!("{prefix}{text}"))
    };
    [part("root", "root="), part("ip", "ip="), part("args", "")]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
