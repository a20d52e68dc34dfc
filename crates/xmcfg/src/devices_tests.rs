//! Tables of devices: what is written, and the form or xm's error.

use super::*;
use crate::value::Value;

struct Nowhere;

impl Host for Nowhere {
    fn environ(&self) -> Vec<(String, String)> {
        vec![("HOME".into(), "/root".into())]
    }
}

fn of(name: &str, texts: &[&str]) -> Result<String, String> {
    let mut vars = Variables::default();
    let list = texts.iter().map(|text| Value::Text((*text).into())).collect();
    vars.take([(name.to_owned(), Value::List(list))]);
    let forms = devices(&vars, &Nowhere).map_err(|error| error.to_string())?;
    let inner = forms.iter().map(|form| form.items()[1].flat());
    Ok(inner.collect::<Vec<_>>().join(" "))
}

#[test]
fn devices_have_the_forms_that_xm_printed() {
    for (name, text, form) in [
        ("disk", "phy:vg/guest,xvda1,w", "(vbd (uname phy:vg/guest) (dev xvda1) (mode w))"),
        ("disk", ",hdc:cdrom,r", "(vbd (uname '') (dev hdc:cdrom) (mode r))"),
        (
            "disk",
            "tap:aio:/srv/x.img,ioemu:hdb,w",
            "(tap (uname tap:aio:/srv/x.img) (dev ioemu:hdb) (mode w))",
        ),
        (
            "disk",
            "tap2:vhd:/a,xvda,w!,dom",
            "(tap2 (uname tap2:vhd:/a) (dev xvda) (mode 'w!') (backend dom))",
        ),
        ("disk", "a,b,c,d,e", "(vbd (uname a) (dev b) (mode c) (backend d) (protocol e))"),
        ("disk", "/dev/vg/a,raw,xvda,rw", "(vbd (uname phy:/dev/vg/a) (dev xvda) (mode w))"),
        (
            "disk",
            "format=qcow2, vdev=hda, access=ro, target=/a,b",
            "(tap (uname 'tap:qcow2:/a,b') (dev hda) (mode r))",
        ),
        ("disk", "/x.iso,,hdc,cdrom", "(vbd (uname /x.iso) (dev '') (mode hdc) (backend cdrom))"),
        ("disk", "/x.iso,raw,hdc,cdrom", "(vbd (uname file:/x.iso) (dev hdc:cdrom) (mode r))"),
        ("vif", "", "(vif)"),
        ("vif", " mac = 00:16:3e:00:00:11 , bridge=xenbr0", "(vif (bridge xenbr0) (mac 00:16:3e:00:00:11))"),
        ("vif", "type=ioemu, bridge=br0", "(vif (bridge br0) (type ioemu))"),
        ("vif", "rate=10Mb/s", "(vif (rate 10Mb/s))"),
        ("vif2", "bridge=a,trusted=1", "(vif2 (bridge a) (trusted 1))"),
        ("vtpm", "instance=2,backend=0", "(vtpm (pref_instance 2) (backend 0))"),
        ("vtpm", "backend=d, instance=VTPMD, uuid=u", "(vtpm (pref_instance 0) (backend d) (uuid u))"),
        ("ioports", "2f8-2ff", "(ioports (from 0x2f8) (to 0x2ff))"),
        ("ioports", "3F0", "(ioports (from 0x3f0) (to 0x3f0))"),
        ("irq", "7", "(irq (irq 7))"),
        ("vscsi", "/dev/sdx,0:0:0:0", "(vscsi (feature-host 0) (p-dev /dev/sdx) (v-dev 0:0:0:0))"),
        (
            "vscsi",
            "1:0:0:0, host, dom",
            "(vscsi (feature-host 1) (p-dev 1:0:0:0) (v-dev host) (backend dom))",
        ),
        (
            "vusb",
            "usbver=1,numports=3,port_2=1-2",
            "(vusb (usb-ver 1) (num-ports 3) (port (1 '') (2 1-2) (3 '')))",
        ),
        (
            "vfb",
            "vnc=1,vncunused=1,keymap=de",
            "(vkbd) (vfb (vncunused 1) (keymap de) (vnc 1) (xauthority /root/.Xauthority))",
        ),
        ("vfb", "type=sdl,xauthority=/x", "(vkbd) (vfb (sdl 1) (xauthority /x))"),
        (
            "pci",
            "03:00.0,msitranslate=0",
            "(pci (dev (slot 0x00) (domain 0x0000) (key 0000:03:00.0) (bus 0x03) (vdevfn 0x100) (func 0x0) (opts \
             (msitranslate 0))))",
        ),
    ] {
        assert_eq!(of(name, &[text]), Ok(form.into()), "{name} = {text}");
    }
}

#[test]
fn functions_of_pci_devices_are_spread_and_mapped() {
    for (text, devices) in [
        ("1f:1f.3", "0000:1f:1f.3@0x100"),
        ("0001:03:00.0@4", "0001:03:00.0@0x20"),
        ("0000,03,00,0", "0000:03:00.0@0x100"),
        ("03,00,1", "0000:03:00.1@0x100"),
        ("03:00.0-2", "0000:03:00.0@0x100 0000:03:00.1@0x101 0000:03:00.2@0x102"),
        ("03:00.0,2@5", "0000:03:00.0@0x28 0000:03:00.2@0x2a"),
        ("03:00.1=0,0=1", "0000:03:00.1@0x100 0000:03:00.0@0x101"),
        ("03:00.2-3=0-1,power_mgmt=1", "0000:03:00.2@0x100 0000:03:00.3@0x101"),
        ("03:00.*", "0000:03:00.*@0x100"),
    ] {
        let form = of("pci", &[text]).unwrap_or_else(|error| panic!("{text}: {error}"));
        let form = crate::sxp::first(form.as_bytes()).unwrap();
        let shown = form
            .all("dev")
            .map(|dev| format!("{}@{}", dev.text("key").unwrap(), dev.text("vdevfn").unwrap()));
        assert_eq!(shown.collect::<Vec<_>>().join(" "), devices, "{text}");
    }
    let both = of("pci", &["03:00.0", "04:00.0"]).unwrap();
    assert!(both.starts_with("(pci (dev ") && both.contains("04:00.0"), "{both}");
}

#[test]
fn devices_that_are_wrong_get_xms_errors() {
    for (name, text, error) in [
        ("disk", "phy:a", "Invalid disk specifier: phy:a"),
        ("disk", "a,b,c,d,e,f", "Invalid disk specifier: a,b,c,d,e,f"),
        ("vif", "mac", "mac should be a pair, separated by an equals sign."),
        ("vif", "bridge=a,", " should be a pair, separated by an equals sign."),
        ("vif", "brigde=a", "Invalid vif option: brigde"),
        ("vif2", "mac=a", "Invalid vif2 option: mac"),
        ("vfb", "vcn=1", "configuration option vcn unknown to vfbs"),
        ("vtpm", "type=x", "Invalid vtpm specifier: type=x"),
        ("vtpm", "instance", "Invalid vtpm specifier: instance"),
        ("vtpm", "instance=0", "VM config error: vTPM instance must not be 0."),
        ("vtpm", "instance=x", "Vm config error: could not parse instance number."),
        ("ioports", "0x2f8", "Invalid i/o port range specifier: 0x2f8"),
        ("ioports", "2f8-", "Invalid i/o port range specifier: 2f8-"),
        ("irq", "x", "Invalid value: x"),
        ("vscsi", "a", "vscsi syntax error \"a\""),
        ("vscsi", "a,0:0:0", "vscsi syntax error \"a,0:0:0\""),
        ("vusb", "usbver=3", "Invalid vusb option: usbver"),
        ("vusb", "numports=17", "Invalid vusb option: numports"),
        ("vusb", "numports=2,port_3=1", "Invalid vusb option: port_3"),
        ("pci", "03:00", "Failed to parse pci device: 03:00"),
        ("pci", "zz:00.0", "Failed to parse pci device: zz:00.0"),
        ("pci", "03:20.0", "Failed to parse pci device: 03:20.0"),
        ("pci", "03:00.8", "Failed to parse pci device: 03:00.8"),
        ("pci", "03:00.0,x=1", "Invalid pci option x=1: 03:00.0,x=1"),
        ("pci", "03:00.0,msitranslate=2", "Invalid pci option msitranslate=2: 03:00.0,msitranslate=2"),
        ("pci", "03:00.0,0", "Duplicate functions: 03:00.0,0"),
        ("pci", "03:00.1,2", "Virtual device does not include virtual function 0: 03:00.1,2"),
        ("pci", "03:00.\u{e9}", "Failed to parse pci device: 03:00.\u{e9}"),
    ] {
        assert_eq!(of(name, &[text]), Err(error.into()), "{name} = {text}");
    }
}

#[test]
fn only_the_first_tpm_counts_and_each_cpuid_leaf_has_its_registers() {
    assert_eq!(of("vtpm", &["instance=1", "nonsense"]), Ok("(vtpm (pref_instance 1))".into()));
    let cpuid = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|text| text.to_string()).collect();
        cpuid(&texts).map(|form| form.flat()).map_err(|error| error.to_string())
    };
    let bits = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0";
    assert_eq!(
        cpuid(&[&format!("1:ecx={bits},eax=0x12"), "7,0:ebx=0x0", "nonsense"]),
        Ok(format!("((1 ((eax 0x12) (ecx {bits}))) (7,0 ((ebx 0x0))))").replace("(7,0 ", "('7,0' "))
    );
    assert_eq!(cpuid(&["1:eex=0x0"]), Err("cpuid's syntax is (eax|ebx|ecx|edx)=value".into()));
    assert_eq!(
        cpuid(&["1:ecx=10"]),
        Err("cpuid: We should specify all the bits of the register ecx for input 1".into())
    );
    assert_eq!(cpuid(&[]), Ok("()".into()));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_device_panic(text in "[0-9a-f:.,=*@x-]{0,16}|\\PC{0,8}") {
        for name in ["disk", "pci", "vif", "vfb", "vtpm", "ioports", "irq", "vscsi", "vusb"] {
            let _ = of(name, &[&text]);
        }
        let _ = cpuid(&[text]);
    }
}
