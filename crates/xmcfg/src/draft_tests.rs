//! Tables of configurations: what they become, and what is refused with which words.

use std::path::Path;

use super::*;
use crate::syntax::parse;

fn read(words: &[(&str, &str)], source: &str) -> Result<Settings, String> {
    let words: Vec<(String, String)> = words.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    settings(&words, Path::new("/etc/xen/guest1"), &parse(source).expect("the syntax is right"))
}

#[test]
fn an_empty_file_gives_xms_defaults_and_its_own_name() {
    let empty = read(&[], "").unwrap();
    assert_eq!((empty.name.as_str(), empty.memory, empty.vcpus), ("guest1", 128, 1));
    assert_eq!((empty.on_crash, &empty.kernel, empty.command_line.as_str()), (None, &None, ""));
}

#[test]
fn words_of_the_command_line_win_over_the_file() {
    let both = read(&[("memory", "0x20"), ("name", "zz")], "memory = 64\nvcpus = \"2\"\nname='y'").unwrap();
    assert_eq!((both.name.as_str(), both.memory, both.vcpus), ("zz", 32, 2));
}

#[test]
fn the_command_line_is_root_and_extra_or_what_cmdline_says() {
    for (source, line) in [
        ("root = '/dev/xvda1 ro'\nextra = 4", "root=/dev/xvda1 ro 4"),
        ("root = 'root=/dev/sda'", "root=/dev/sda"),
        ("extra = 'console=hvc0'", "console=hvc0"),
        ("extra = 'x'\ncmdline = 'y z'", "y z"),
    ] {
        assert_eq!(read(&[], source).unwrap().command_line, line, "{source}");
    }
}

#[test]
fn what_cannot_be_is_refused_by_name_place_and_reason() {
    for (words, source, text) in [
        (&[("memory", "abc")][..], "", "Invalid value: abc"),
        (&[("memory", "-5")], "", "Invalid value: -5"),
        (&[], "memory = 1.5", "Invalid value: 1.5 (/etc/xen/guest1:1: memory)"),
        (&[], "memory = [64]", "Invalid value: [64] (/etc/xen/guest1:1: memory)"),
        (&[], "\nmemmory = 64", "/etc/xen/guest1:2: unknown variable 'memmory'; did you mean 'memory'?"),
        (&[("krnel", "x")], "", "the command line: unknown variable 'krnel'; did you mean 'kernel'?"),
        (&[], "kernel = 'no/such/file'", "Cannot find kernel \"no/such/file\" (/etc/xen/guest1:1: kernel)"),
        (&[("ramdisk", "nothing")], "", "Cannot find ramdisk \"nothing\""),
        (&[("on_crash", "explode")], "", "Invalid Configuration: Invalid event handling mode: crash"),
        (&[("on_poweroff", "x")], "", "Invalid Configuration: Invalid event handling mode: shutdown"),
        (&[("uuid", "12")], "", "Invalid value: 12"),
        (
            &[],
            "disk = ['phy:a,b,w']",
            "/etc/xen/guest1:1: 'disk' is not available in this release of nanodom: domains have no devices yet; \
             remove the line, or leave its list empty",
        ),
        (
            &[],
            "cpu_weight = 512",
            "/etc/xen/guest1:1: 'cpu_weight' is not available in this release of nanodom; remove it",
        ),
        (&[], "cpus = '0-'", "cpus = 0-: no list of CPUs, such as 0-3,^1 (/etc/xen/guest1:1: cpus)"),
        (&[], "vcpus = 3\ncpus = ['0', '1']", "vcpus and the item number of cpus are not same"),
        (
            &[("builder", "hvm")],
            "",
            "builder = \"hvm\" is not available in this release of nanodom; domains boot as PVH: leave it out, or \
             write builder = \"pvh\"",
        ),
        (
            &[("type", "pv")],
            "",
            "type = \"pv\" is not available in this release of nanodom; domains boot as PVH: leave it out, or write \
             type = \"pvh\"",
        ),
    ] {
        assert_eq!(read(words, source), Err(text.to_owned()), "{words:?} {source}");
    }
}

#[test]
fn empty_lists_of_devices_and_known_ways_to_boot_are_fine() {
    for source in ["disk = []\nvif = [ ]", "builder = 'generic'", "type = 'pvh'", "bootloader = ''"] {
        assert!(read(&[], source).is_ok(), "{source}");
    }
}

#[test]
fn images_are_files_or_names_of_the_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = dir.path().join("vmlinuz");
    std::fs::write(&kernel, "x").unwrap();
    let source = format!("kernel = '{}'\nramdisk = 'bundle:rd'", kernel.display());
    let both = read(&[], &source).unwrap();
    assert_eq!(both.kernel, Some(Source::File(kernel)));
    assert_eq!(both.ramdisk, Some(Source::Bundle("rd".into())));
}

#[test]
fn the_dry_run_prints_the_form_that_xm_printed() {
    let source = "memory=128\nvcpus=2\nname='guest1'\nuuid='06ed00fe-1162-4fc4-b5d8-11993ee4a8b9'\n\
                  root='/dev/xvda1 ro'\nextra=\"4\"\non_crash='preserve'\nkernel='bundle:k'\nramdisk='bundle:r'";
    assert_eq!(
        read(&[], source).unwrap().form().pretty(),
        "(vm
    (name guest1)
    (memory 128)
    (on_crash preserve)
    (on_xend_start ignore)
    (on_xend_stop ignore)
    (vcpus 2)
    (uuid 06ed00fe-1162-4fc4-b5d8-11993ee4a8b9)
    (oos 1)
    (image
        (linux
            (kernel bundle:k)
            (ramdisk bundle:r)
            (root '/dev/xvda1 ro')
            (videoram 4)
            (args 4)
            (tsc_mode 0)
            (nomigrate 0)
        )
    )
    (s3_integrity 1)
)
"
    );
}

#[test]
fn cpus_are_printed_as_they_were_written_and_are_for_every_vcpu_that_may_ever_be() {
    let all = read(&[("vcpus", "1"), ("maxvcpus", "2")], "cpus = '0-3,^1'").unwrap();
    assert!(all.form().flat().contains("(cpus '0-3,^1')"), "{}", all.form().flat());
    assert_eq!(all.cpu_sets().iter().map(ToString::to_string).collect::<Vec<_>>(), ["0,2-3", "0,2-3"]);
    let each = read(&[], "vcpus = 2\ncpus = ['1', 0]").unwrap();
    assert!(each.form().flat().contains("(cpus (1 0))"), "{}", each.form().flat());
    assert_eq!(each.cpu_sets().iter().map(ToString::to_string).collect::<Vec<_>>(), ["1", "0"]);
    assert_eq!(read(&[], "").unwrap().cpu_sets(), []);
}

#[test]
fn maxvcpus_prints_the_online_ones_as_a_mask() {
    let form = read(&[("vcpus", "2"), ("maxvcpus", "4")], "").unwrap().form().flat();
    assert!(form.contains("(vcpu_avail 3) (vcpus 4)"), "{form}");
}
