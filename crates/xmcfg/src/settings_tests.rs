//! What forms come to.

use super::*;
use crate::sxp::first;

fn read(source: &str) -> Result<Settings, FormError> {
    Settings::from_form(&first(source.as_bytes()).expect("the form is well made"))
}

fn sets(settings: &Settings) -> Vec<String> {
    settings.cpu_sets().iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_form_has_xms_defaults() {
    let empty = read("(vm)").unwrap();
    assert_eq!((empty.name.as_str(), empty.memory, empty.vcpus, empty.max_vcpus), ("", 128, 1, 1));
    assert_eq!((empty.on_crash, empty.on_start, empty.on_stop), (None, OnStart::Ignore, OnStop::Ignore));
    assert_eq!((empty.kernel, empty.command_line.as_str()), (None, ""));
}

#[test]
fn everything_that_a_form_says_is_read_and_none_of_it_lost() {
    let source = "(vm (name g) (memory 64) (maxmem 96) (on_poweroff preserve) (on_reboot destroy) (on_crash \
                  coredump-restart) (on_xend_start start) (on_xend_stop suspend) (description 'a b') (vcpu_avail 3) \
                  (vcpus 4) (uuid 06ed00fe-1162-4fc4-b5d8-11993ee4a8b9) (cpus 0-1) (cpu_cap 50) (cpu_weight 512) \
                  (pool_name fast) (image (linux (kernel bundle:k) (ramdisk /r) (ip 1.2.3.4) (root '/dev/a ro') \
                  (args quiet))) (device (vbd (uname phy:a) (dev xvda) (mode w))))";
    let all = read(source).unwrap();
    assert_eq!(
        (all.name.as_str(), all.memory, all.maxmem, all.vcpus, all.max_vcpus),
        ("g", 64, Some(96), 2, 4)
    );
    assert_eq!(
        (all.on_poweroff, all.on_reboot, all.on_crash),
        (Some(Action::Preserve), Some(Action::Destroy), Some(Action::CoredumpRestart))
    );
    assert_eq!((all.on_start, all.on_stop), (OnStart::Start, OnStop::Suspend));
    assert_eq!((all.cpu_cap, all.cpu_weight, all.pool.as_deref()), (Some(50), Some(512), Some("fast")));
    assert_eq!(all.uuid.map(|uuid| uuid[0]), Some(6));
    assert_eq!(all.kernel, Some(Source::Bundle("k".into())));
    assert_eq!(all.ramdisk, Some(Source::File("/r".into())));
    assert_eq!(all.command_line, "root=/dev/a ro ip=1.2.3.4 quiet");
    assert_eq!(sets(&all), ["0-1"; 4]);
    let again = Settings::from_form(&first(all.form().pretty().as_bytes()).unwrap()).unwrap();
    assert_eq!(again, all);
}

#[test]
fn a_listing_of_a_running_domain_is_a_configuration_too() {
    let running = read(
        "(domain (domid 7) (cpu_weight 256) (cpu_cap 0) (vcpus 4) (cpus (() (1 3) () ())) (name g) (online_vcpus 2) \
         (bootloader '') (image (linux (kernel k) (args a))) (status 2) (state -b----) (store_mfn 1))",
    )
    .unwrap();
    assert_eq!((running.vcpus, running.max_vcpus, running.command_line.as_str()), (2, 4, "a"));
    assert_eq!(sets(&running), ["", "1,3", "", ""]);
}

#[test]
fn deprecated_words_mean_what_they_meant() {
    let old = read("(vm (restart onreboot) (on_crash preserve) (cpu 2) (cpus '4'))").unwrap();
    assert_eq!(
        (old.on_poweroff, old.on_reboot, old.on_crash),
        (Some(Action::Destroy), Some(Action::Restart), Some(Action::Destroy))
    );
    assert_eq!(sets(&old), ["2,4"]);
    assert_eq!(sets(&read("(vm (cpu 3))").unwrap()), ["3"]);
    assert_eq!(read("(vm (cpu -1))").unwrap().cpu_sets(), []);
    assert_eq!(read("(vm (restart whenever))").unwrap().on_reboot, None);
}

#[test]
fn what_cannot_be_is_refused_with_the_value_and_what_would_do() {
    for (source, text) in [
        (
            "(image)",
            "this is no domain's configuration: the form begins with 'image', not with 'vm' or 'domain'",
        ),
        ("()", "this is no domain's configuration: the form begins with '()', not with 'vm' or 'domain'"),
        ("(vm (memory abc))", "Invalid value: abc; memory takes a whole number"),
        ("(vm (memory -1))", "Invalid value: -1; memory takes a whole number"),
        ("(vm (memory (1 2)))", "Invalid value: (1 2); memory takes a whole number"),
        ("(vm (uuid 12))", "Invalid value: 12; uuid takes 32 hexadecimal digits"),
        ("(vm (cpu_weight 70000))", "Invalid value: 70000; cpu_weight takes a whole number"),
        (
            "(vm (vcpus 4) (vcpu_avail 5))",
            "Invalid value: 5; vcpu_avail takes a mask of the vCPUs online at start, the first ones without a gap",
        ),
        ("(vm (on_xend_stop x))", "Invalid value: x; on_xend_stop takes ignore, shutdown or suspend"),
        (
            "(vm (on_poweroff coredump-destroy))",
            "Invalid Configuration: Invalid event handling mode: shutdown",
        ),
        ("(vm (on_reboot x))", "Invalid Configuration: Invalid event handling mode: reboot"),
        ("(vm (on_crash x))", "Invalid Configuration: Invalid event handling mode: crash"),
        ("(vm (vcpus 3) (cpus (0 1)))", "vcpus and the item number of cpus are not same"),
        ("(vm (cpus 0-))", "cpus = 0-: no list of CPUs, such as 0-3,^1"),
    ] {
        assert_eq!(read(source).map_err(|error| error.to_string()), Err(text.into()), "{source}");
    }
}

#[test]
fn a_name_and_a_uuid_can_be_given_later_and_are_in_the_form() {
    let mut settings = read("(vm (name a))").unwrap();
    settings.set_name("b");
    settings.set_uuid([0x11; 16]);
    assert_eq!(settings.form().flat(), "(vm (name b) (uuid 11111111-1111-1111-1111-111111111111))");
    assert_eq!(Settings::from_form(settings.form()), Ok(settings));
}
