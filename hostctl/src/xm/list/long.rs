//! `xm list --long`: all that is known of a domain, as SXP in xend's order, and as JSON.

use std::time::Duration;

use proto::detail::DomainDetail;
use proto::domain::DomainConfig;
use serde_json::{Value, json};

use super::{flags, object, power_state, seconds};
use crate::output::uuid_text;
use xmcfg::actions::word as action_word;
use xmcfg::sxp::Sxp;

/// A domain under the names that xend gave to what is known of it; `now` since 1970.
///
/// What xend had and nothing here has (a bootloader, a description) is printed as empty as xend printed it.
pub(super) fn form(detail: &DomainDetail, now: Duration) -> Sxp {
    let DomainDetail { info, config, share, cpus, .. } = detail;
    let mut form = vec!["domain".into(), number("domid", info.domid.into())];
    if let Some((weight, cap)) = *share {
        form.extend([number("cpu_weight", weight.into()), number("cpu_cap", cap.into())]);
    }
    form.extend([
        Sxp::pair("pool_name", detail.info.pool.as_str()),
        Sxp::pair("bootloader", ""),
        number("vcpus", info.max_vcpus.into()),
        Sxp::pair("cpus", cpus.iter().map(|cpus| numbers(cpus)).collect::<Vec<_>>()),
    ]);
    let rule = |key: &str, action: fn(&DomainConfig) -> proto::domain::Action| {
        config.as_ref().map(|config| Sxp::pair(key, action_word(action(config))))
    };
    form.extend(rule("on_poweroff", |config| config.on_poweroff));
    form.push(Sxp::pair("description", ""));
    form.extend(rule("on_crash", |config| config.on_crash));
    form.extend([
        Sxp::pair("uuid", uuid_text(&info.uuid)),
        Sxp::pair("bootloader_args", ""),
        Sxp::pair("name", info.name.as_str()),
    ]);
    form.extend(rule("on_reboot", |config| config.on_reboot));
    let started = now.saturating_sub(Duration::from_millis(info.uptime_ms)).as_secs_f64();
    form.extend([
        number("maxmem", info.max_memory_kib.div_ceil(1024)),
        number("memory", info.memory_kib.div_ceil(1024)),
        number("shadow_memory", 0),
        Sxp::pair("features", ""),
        Sxp::pair("on_xend_start", "ignore"),
        Sxp::pair("on_xend_stop", "ignore"),
        Sxp::pair("start_time", (started * 100.0).round() / 100.0),
        Sxp::pair("cpu_time", seconds(info.cpu_time_ns)),
        number("online_vcpus", info.vcpus.into()),
    ]);
    if detail.ssidref != 0 {
        form.push(Sxp::pair("security_label", label(detail)));
    }
    form.extend(config.as_ref().map(image));
    form.extend([Sxp::pair("status", power_state(info).1), Sxp::pair("state", flags(info.state))]);
    if let Some(rings) = detail.rings {
        form.extend([number("store_mfn", rings.store), number("console_mfn", rings.console)]);
    }
    Sxp::List(form)
}

/// A domain's security label: xend's name for none, else its number, since only the policy knows the name.
pub(super) fn label(detail: &DomainDetail) -> String {
    match detail.ssidref {
        0 => "__UNLABELED__".into(),
        number => format!("SSIDREF:{number:#010x}"),
    }
}

/// All of it as JSON.
pub(super) fn json(detail: &DomainDetail) -> Value {
    let mut value = object(&detail.info);
    let config = detail.config.as_ref().map(|config| {
        json!({
            "kernel": config.kernel_name,
            "ramdisk": config.ramdisk.map(|_| config.ramdisk_name.as_str()),
            "cmdline": config.cmdline,
            "on_poweroff": action_word(config.on_poweroff),
            "on_reboot": action_word(config.on_reboot),
            "on_crash": action_word(config.on_crash),
        })
    });
    if let Some(fields) = value.as_object_mut() {
        let rings = detail.rings.map(|rings| json!({ "store": rings.store, "console": rings.console }));
        let (weight, cap) = detail.share.unzip();
        fields.extend([
            ("config".into(), json!(config)),
            ("weight".into(), json!(weight)),
            ("cap".into(), json!(cap)),
            ("cpus".into(), json!(detail.cpus)),
            ("ssidref".into(), json!(detail.ssidref)),
            ("rings".into(), json!(rings)),
        ]);
    }
    value
}

fn image(config: &DomainConfig) -> Sxp {
    let mut linux = vec!["linux".into(), Sxp::pair("kernel", config.kernel_name.as_str())];
    if config.ramdisk.is_some() {
        linux.push(Sxp::pair("ramdisk", config.ramdisk_name.as_str()));
    }
    linux.push(Sxp::pair("args", config.cmdline.as_str()));
    Sxp::pair("image", linux)
}

fn number(key: &str, value: u64) -> Sxp {
    Sxp::pair(key, i64::try_from(value).unwrap_or(i64::MAX))
}

fn numbers(cpus: &[u32]) -> Sxp {
    cpus.iter().map(|cpu| Sxp::Int((*cpu).into())).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use proto::detail::Rings;
    use proto::domain::DomainState;

    use super::*;
    use crate::xm::list::tests::domain;

    #[test]
    fn what_is_not_known_of_a_foreign_domain_is_left_out() {
        let detail = DomainDetail {
            info: domain("guest1", 7, DomainState::BLOCKED),
            config: None,
            share: None,
            cpus: vec![vec![], vec![1, 3]],
            ssidref: 0x0001_0002,
            rings: Some(Rings { store: 1_044_475, console: 1_044_476 }),
        };
        let form = form(&detail, Duration::from_millis(1_234_567_895_120)).pretty();
        assert_eq!(
            form,
            "(domain
    (domid 7)
    (pool_name Pool-0)
    (bootloader '')
    (vcpus 2)
    (cpus (() (1 3)))
    (description '')
    (uuid 00000000-0000-0000-0000-000000000000)
    (bootloader_args '')
    (name guest1)
    (maxmem 256)
    (memory 128)
    (shadow_memory 0)
    (features '')
    (on_xend_start ignore)
    (on_xend_stop ignore)
    (start_time 1234567890.12)
    (cpu_time 7.6)
    (online_vcpus 1)
    (security_label SSIDREF:0x00010002)
    (status 2)
    (state -b----)
    (store_mfn 1044475)
    (console_mfn 1044476)
)
"
        );
    }

    #[test]
    fn what_is_printed_of_a_running_domain_is_a_configuration_that_makes_it_again() {
        use proto::domain::Action;
        use proto::image::ImageId;
        use xmcfg::settings::{Settings, Source};

        let mut info = domain("guest1", 7, DomainState::BLOCKED);
        info.uuid = [0x42; 16];
        let config = DomainConfig {
            name: "guest1".into(),
            uuid: Some([0x42; 16]),
            memory_kib: 128 << 10,
            max_memory_kib: 256 << 10,
            vcpus: 1,
            max_vcpus: 2,
            cpus: Vec::new(),
            pool: None,
            weight: None,
            cap: None,
            kernel: ImageId([1; 32]),
            kernel_name: "/boot/vmlinuz".into(),
            ramdisk: Some(ImageId([2; 32])),
            ramdisk_name: "bundle:rd".into(),
            cmdline: "root=/dev/xvda ro 'a b'".into(),
            on_poweroff: Action::Preserve,
            on_reboot: Action::Destroy,
            on_crash: Action::CoredumpRestart,
        };
        let detail = DomainDetail {
            info,
            config: Some(config.clone()),
            share: Some((512, 50)),
            cpus: vec![vec![], vec![1, 3]],
            ssidref: 0,
            rings: Some(Rings { store: 1, console: 2 }),
        };
        let printed = form(&detail, Duration::from_secs(9)).pretty();
        let again = Settings::from_form(&xmcfg::sxp::first(printed.as_bytes()).unwrap()).unwrap();
        assert_eq!((again.name.as_str(), again.uuid), ("guest1", config.uuid));
        assert_eq!((again.memory, again.maxmem, again.vcpus, again.max_vcpus), (128, Some(256), 1, 2));
        assert_eq!(
            (again.cpu_weight, again.cpu_cap, again.pool.as_deref()),
            (Some(512), Some(50), Some("Pool-0"))
        );
        assert_eq!(again.cpu_sets().iter().map(ToString::to_string).collect::<Vec<_>>(), ["", "1,3"]);
        assert_eq!(again.kernel, Some(Source::File("/boot/vmlinuz".into())));
        assert_eq!(again.ramdisk, Some(Source::Bundle("rd".into())));
        assert_eq!(again.command_line, config.cmdline);
        assert_eq!(
            (again.on_poweroff, again.on_reboot, again.on_crash),
            (Some(config.on_poweroff), Some(config.on_reboot), Some(config.on_crash))
        );
        assert_eq!(xmcfg::refusal::refusals(again.form()), []);
    }
}
