//! Forms as the real xm printed them, to the byte, and what it said of configurations that make none.

use xmpy::PathKind;

use super::*;
use crate::variables::Variables;

/// A machine on which every file is but those of the directory /no.
struct Machine;

impl Host for Machine {
    fn path_kind(&self, path: &str) -> Option<PathKind> {
        let is_there = !path.starts_with("/no/") && !path.starts_with("no");
        is_there.then_some(PathKind::File)
    }
    fn current_dir(&self) -> Option<String> {
        Some("/here".into())
    }
    fn environ(&self) -> Vec<(String, String)> {
        vec![("HOME".into(), "/root".into())]
    }
}

fn made(words: &[(&str, &str)], script: &[(&str, Value)], file_name: &str) -> Result<Made, String> {
    let mut vars = Variables::of_words(words.iter().copied()).map_err(|error| error.to_string())?;
    vars.take(script.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    vm(&vars, Around { file_name, with_console: false, host: &Machine }).map_err(|error| error.to_string())
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn list(texts: &[&str]) -> Value {
    Value::List(texts.iter().map(|item| text(item)).collect())
}

#[test]
fn a_guest_with_disks_and_a_network_prints_as_xm_printed_it() {
    let script = [
        ("kernel", text("/boot/vmlinuz-xenU")),
        ("ramdisk", text("/boot/initrd-xenU")),
        ("memory", Value::Int(128)),
        ("vcpus", Value::Int(2)),
        ("name", text("guest1")),
        ("uuid", text("06ed00fe-1162-4fc4-b5d8-11993ee4a8b9")),
        ("disk", list(&["phy:vg/guest,xvda1,w", "file:/srv/swap.img,xvda2,w"])),
        ("vif", list(&["mac=00:16:3e:00:00:11, bridge=xenbr0"])),
        ("root", text("/dev/xvda1 ro")),
        ("extra", text("4")),
        ("dhcp", text("dhcp")),
        ("hostname", text("guest1")),
        ("on_crash", text("preserve")),
    ];
    assert_eq!(
        made(&[], &script, "pv.cfg").unwrap().form.pretty(),
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
            (kernel /boot/vmlinuz-xenU)
            (ramdisk /boot/initrd-xenU)
            (ip :127.0.255.255:::guest1:eth0:dhcp)
            (root '/dev/xvda1 ro')
            (videoram 4)
            (args 4)
            (tsc_mode 0)
            (nomigrate 0)
        )
    )
    (s3_integrity 1)
    (device (vbd (uname phy:vg/guest) (dev xvda1) (mode w)))
    (device (vbd (uname file:/srv/swap.img) (dev xvda2) (mode w)))
    (device (vif (bridge xenbr0) (mac 00:16:3e:00:00:11)))
)
"
    );
}

#[test]
fn a_guest_numbered_by_a_variable_prints_as_xm_printed_it() {
    let script = [
        ("kernel", text("/boot/vmlinuz-xenU")),
        ("memory", Value::Int(64)),
        ("name", text("VM2")),
        ("vcpus", Value::Int(4)),
        ("vif", list(&[""])),
        ("disk", list(&["phy:sda9,sda1,w", "phy:sda6,sda6,r"])),
        ("root", text("/dev/sda1 ro")),
        ("extra", text("4 VMID=2 usr=/dev/sda6")),
    ];
    assert_eq!(
        made(&[("vmid", "2")], &script, "xmexample2").unwrap().form.pretty(),
        "(vm
    (name VM2)
    (memory 64)
    (on_xend_start ignore)
    (on_xend_stop ignore)
    (vcpus 4)
    (oos 1)
    (image
        (linux
            (kernel /boot/vmlinuz-xenU)
            (root '/dev/sda1 ro')
            (videoram 4)
            (args '4 VMID=2 usr=/dev/sda6')
            (tsc_mode 0)
            (nomigrate 0)
        )
    )
    (s3_integrity 1)
    (device (vbd (uname phy:sda9) (dev sda1) (mode w)))
    (device (vbd (uname phy:sda6) (dev sda6) (mode r)))
    (device (vif))
)
"
    );
}

#[test]
fn displays_and_pci_devices_are_broken_over_lines_as_xm_broke_them() {
    let script =
        [("vfb", list(&["vnc=1,vncunused=1,keymap=de"])), ("pci", list(&["0000:03:00.0,msitranslate=0"]))];
    let printed = made(&[], &script, "g").unwrap().form.pretty();
    let devices = &printed[printed.find("    (device").unwrap()..];
    assert_eq!(
        devices,
        "    (device
        (pci
            (dev
                (slot 0x00)
                (domain 0x0000)
                (key 0000:03:00.0)
                (bus 0x03)
                (vdevfn 0x100)
                (func 0x0)
                (opts (msitranslate 0))
            )
        )
    )
    (device (vkbd))
    (device
        (vfb (vncunused 1) (keymap de) (vnc 1) (xauthority /root/.Xauthority))
    )
)
"
    );
}

#[test]
fn words_alone_make_the_form_that_xm_made_of_them() {
    let words = [
        ("kernel", "boot/vmlinuz"),
        ("memory", "32"),
        ("name", "zz"),
        ("vif", ""),
        ("disk", "phy:a,hda1,w"),
        ("root", "/dev/hda1"),
        ("vcpus", "2"),
    ];
    assert_eq!(
        made(&words, &[], "null").unwrap().form.flat(),
        "(vm (name zz) (memory 32) (on_xend_start ignore) (on_xend_stop ignore) (vcpus 2) (oos 1) (image (linux (kernel \
         boot/vmlinuz) (root /dev/hda1) (videoram 4) (tsc_mode 0) (nomigrate 0))) (s3_integrity 1) (device (vbd (uname \
         phy:a) (dev hda1) (mode w))) (device (vif)))"
    );
}

#[test]
fn texts_stay_texts_and_a_boot_loader_takes_the_place_of_the_kernel() {
    let script = [
        ("memory", text("64")),
        ("maxvcpus", Value::Int(4)),
        ("disk", list(&["phy:a0,xvda,w", "phy:a1,xvdb,w"])),
        ("bootloader", text("pygrub")),
        ("vif", list(&["rate=10Mb/s"])),
    ];
    assert_eq!(
        made(&[], &script, "boot.cfg").unwrap().form.flat(),
        "(vm (name boot.cfg) (memory 64) (on_xend_start ignore) (on_xend_stop ignore) (vcpu_avail 1) (vcpus 4) (oos 1) \
         (bootloader /usr/bin/pygrub) (bootloader_args -q) (image (linux (videoram 4) (tsc_mode 0) (nomigrate 0))) \
         (s3_integrity 1) (device (vbd (uname phy:a0) (dev xvda) (mode w))) (device (vbd (uname phy:a1) (dev xvdb) \
         (mode w))) (device (vif (rate 10Mb/s))))"
    );
}

#[test]
fn a_fully_virtualised_guest_says_what_its_machine_has_in_xms_order() {
    let words = [
        ("builder", "hvm"),
        ("kernel", "hvmloader"),
        ("vnc", "1"),
        ("vncpasswd", ""),
        ("monitor_path", "/m"),
    ];
    assert_eq!(
        made(&words, &[], "w").unwrap().form.get("image").unwrap().flat(),
        "(hvm (kernel hvmloader) (videoram 4) (monitor_path /m) (monitor 1) (acpi 1) (apic 1) (boot c) (cpuid ()) \
         (cpuid_check ()) (fda '') (fdb '') (guest_os_type default) (hap 1) (hpet 0) (isa 0) (keymap '') (localtime 0) \
         (nographic 0) (oos 1) (pae 1) (pci ()) (pci_msitranslate 1) (pci_power_mgmt 0) (rtc_timeoffset 0) (soundhw '') \
         (stdvga 0) (timer_mode 1) (usb 0) (usbdevice '') (vcpus 1) (vnc 1) (vncunused 1) (viridian 0) (vpt_align 1) \
         (xauthority /root/.Xauthority) (xen_platform_pci 1) (memory_sharing 0) (vncpasswd '') (tsc_mode 0) (nomigrate 0))"
    );
}

#[test]
fn the_kernels_arguments_are_put_together_from_their_pieces() {
    for (words, image) in [
        (
            &[
                ("ip", "10.0.0.2"),
                ("gateway", "10.0.0.1"),
                ("netmask", "255.0.0.0"),
                ("nfs_server", "10.0.0.9"),
            ][..],
            "(linux (ip 10.0.0.2:10.0.0.9:10.0.0.1:255.0.0.0::eth0:off) (videoram 4) (tsc_mode 0) (nomigrate 0))",
        ),
        (
            &[("nfs_root", "/srv/g"), ("nfs_server", "s"), ("root", "root=/dev/nfs"), ("extra", "ro")],
            "(linux (root /dev/nfs) (videoram 4) (args 'nfsroot=s:/srv/g ro') (tsc_mode 0) (nomigrate 0))",
        ),
        (
            &[("cmdline", "a b"), ("root", "/dev/x")],
            "(linux (videoram 4) (args 'a b') (tsc_mode 0) (nomigrate 0))",
        ),
    ] {
        assert_eq!(made(words, &[], "g").unwrap().form.get("image").unwrap().flat(), image);
    }
}

#[test]
fn images_are_found_as_xm_found_them() {
    for (kernel, printed) in [
        ("k", Ok("/here/k")),
        ("./k", Ok("./k")),
        ("/boot/k", Ok("/boot/k")),
        ("bundle:no", Ok("bundle:no")),
        ("hvmloader", Ok("hvmloader")),
        ("/no/k", Err("Cannot find kernel \"/no/k\"")),
        ("nok", Err("Cannot find kernel \"nok\"")),
    ] {
        let form = made(&[("kernel", kernel)], &[], "g").map(|made| made.form);
        let path = form.map(|form| form.get("image").unwrap().text("kernel").unwrap());
        assert_eq!(path.as_deref().map_err(String::as_str), printed, "{kernel}");
    }
    assert_eq!(made(&[("ramdisk", "nor")], &[], "g").unwrap_err(), "Cannot find ramdisk \"nor\"");
    assert_eq!(made(&[("loader", "/no/l")], &[], "g").unwrap_err(), "Cannot find loader \"/no/l\"");
}

#[test]
fn what_makes_no_form_is_refused_in_xms_words() {
    for (words, error) in [
        (&[("nfs_root", "/x")][..], "Must set nfs root and nfs server"),
        (&[("access_control", "a"), ("access_control", "b")], "Multiple access_control definitions."),
        (&[("access_control", "policy=p")], "Invalid access_control specifier: policy=p"),
        (&[("disk", "x"), ("kernel", "/no/k")], "Invalid disk specifier: x"),
        (&[("kernel", "/no/k"), ("vif", "x=1")], "Cannot find kernel \"/no/k\""),
        (&[("vif", "x=1"), ("vfb", "y")], "Invalid vif option: x"),
    ] {
        assert_eq!(made(words, &[], "g").unwrap_err(), error);
    }
}

#[test]
fn labels_and_what_domains_serve_are_in_the_form() {
    let form =
        made(&[("access_control", "policy=p,label=l"), ("blkif", "y"), ("cpu", "0")], &[], "g").unwrap().form;
    assert_eq!(form.get("security").unwrap().flat(), "((access_control (policy p) (label l)))");
    assert_eq!(
        (form.text("cpu").as_deref(), form.get("backend").unwrap().flat().as_str()),
        (Some("0"), "(blkif)")
    );
}

#[test]
fn what_changes_nothing_is_said() {
    for (words, warnings) in [
        (&[("acpi", "1"), ("vnc", "0"), ("superpages", "0"), ("nics", "-1")][..], &[][..]),
        (
            &[("nics", "2")],
            &[
                "Warning: The nics option is deprecated.  Please use an empty vif entry instead:\n\n  vif = [ '', '' ]\n",
            ],
        ),
        (&[("nics", "0")], &["Warning: The nics option is deprecated.  Please remove it."]),
        (
            &[("acpi", "0"), ("vnc", "1"), ("vhpt", "1")],
            &[
                "Warning: 'vhpt' has no effect: it was for ia64, which no Xen runs on any more.",
                "Warning: 'acpi', 'vnc' have no effect: only HVM guests have that.",
            ],
        ),
        (&[("hostname", "h")], &["Warning: 'hostname' has no effect without ip or dhcp."]),
        (&[("bootargs", "x")], &["Warning: 'bootargs' has no effect without bootloader."]),
        (&[("cmdline", "x"), ("extra", "y")], &["Warning: 'extra' has no effect beside cmdline."]),
    ] {
        assert_eq!(made(words, &[], "g").unwrap().warnings, warnings, "{words:?}");
    }
    let nics = made(&[("nics", "2"), ("vif", "bridge=b")], &[], "g").unwrap().form;
    assert_eq!(
        nics.all("device").map(Sxp::flat).collect::<String>(),
        "(device (vif (bridge b)))(device (vif))"
    );
}
