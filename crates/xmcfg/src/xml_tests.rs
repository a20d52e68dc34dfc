//! XML as xm's Xen-API client printed it, and what becomes of files.

use super::*;
use crate::sxp::first;

const FORM: &str = "(vm (name guest1) (memory 128) (on_crash preserve) (on_xend_start ignore) (on_xend_stop ignore) (vcpus 2) \
                    (oos 1) (image (linux (kernel /boot/vmlinuz-xenU) (ramdisk /boot/initrd-xenU) (root '/dev/xvda1 ro') \
                    (videoram 4) (args 4) (tsc_mode 0) (nomigrate 0))) (s3_integrity 1) (device (vbd (uname phy:vg/guest) (dev \
                    xvda1) (mode w))) (device (vif (bridge xenbr0) (mac 00:16:3e:00:00:11))))";

const XML: &str = r#"<?xml version='1.0' encoding='UTF-8'?>
<xm>
  <vm PCI_bus="" actions_after_crash="preserve" actions_after_reboot="restart" actions_after_shutdown="destroy" auto_power_on="false" is_a_template="false" pool_name="Pool-0" s3_integrity="1" superpages="0" vcpus_at_startup="2" vcpus_max="2">
    <name>
      <label>guest1</label>
      <description> </description>
    </name>
    <version>0</version>
    <pv args="root=/dev/xvda1 ro 4" bootloader="" bootloader_args="" kernel="/boot/vmlinuz-xenU" ramdisk="/boot/initrd-xenU"/>
    <memory dynamic_max="134217728" dynamic_min="134217728" static_max="134217728" static_min="0"/>
    <vbd bootable="1" device="xvda1" mode="RW" name="vdb4420487394378733285" qos_algorithm_type="" type="disk" vdi="vdi4420487394378733285"/>
    <vif device="eth0" mac="00:16:3e:00:00:11" mtu="" name="vif-4664220514485057761" network="xenbr0" qos_algorithm_type="" security_label=""/>
    <platform key="nomigrate" value="0"/>
    <vcpu_param key="weight" value="256"/>
    <vcpu_param key="cap" value="0"/>
    <other_config key="transient" value="True"/>
  </vm>
  <vdi name="vdi4420487394378733285" read_only="False" sharable="False" size="-1" src="phy:vg/guest" type="system">
    <name>
      <label>vdi4420487394378733285</label>
      <description> </description>
    </name>
  </vdi>
</xm>
"#;

fn printed(form: &str) -> Result<Printed, String> {
    print(&first(form.as_bytes()).unwrap()).map_err(|error| error.to_string())
}

#[test]
fn a_guest_prints_as_xm_printed_it() {
    assert_eq!(printed(FORM), Ok(Printed { text: XML.into(), left_out: vec![] }));
}

#[test]
fn what_was_printed_reads_as_a_form_again() {
    assert_eq!(
        read(XML.as_bytes(), false).unwrap().flat(),
        "(vm (name guest1) (memory 128) (maxmem 128) (on_poweroff destroy) (on_reboot restart) (on_crash preserve) (vcpus 2) \
         (cpu_weight 256) (cpu_cap 0) (pool_name Pool-0) (image (linux (kernel /boot/vmlinuz-xenU) (ramdisk \
         /boot/initrd-xenU) (args 'root=/dev/xvda1 ro 4') (nomigrate 0))) (s3_integrity 1) (device (vbd (uname phy:vg/guest) \
         (dev xvda1) (mode w))) (device (vif (bridge xenbr0) (mac 00:16:3e:00:00:11))))"
    );
}

#[test]
fn other_devices_processors_and_texts_come_back() {
    let form = "(vm (name 'a<b>&\"') (memory 64) (maxmem 96) (description 'for \\'x\\'') (vcpus 2) (cpus (0 1-2)) (image (linux \
                (kernel k))) (device (tap (uname tap:aio:/a) (dev xvda) (mode 'w!'))) (device (vbd (uname '') (dev \
                hdc:cdrom) (mode r))) (device (pci (dev (slot 0x00) (domain 0x0000) (key 0000:03:00.0) (bus 0x03) (vdevfn \
                0x100) (func 0x0) (opts (msitranslate 0))))) (device (vscsi (feature-host 0) (p-dev a) (v-dev 0:0:0:0))) \
                (device (vif (vifname v0))) (device (vtpm (backend 0))) (device (vkbd)) (device (vfb (vnc 1))))";
    let xml = printed(form).unwrap();
    let again = read(xml.text.as_bytes(), false).unwrap().flat();
    for part in [
        "(name 'a<b>&\"')",
        "(memory 64) (maxmem 96)",
        "(description \"for 'x'\")",
        "(cpus ((0) (1 2)))",
        "(device (tap (uname tap:aio:/a) (dev xvda) (mode 'w!')))",
        "(device (vbd (uname '') (dev hdc:cdrom) (mode r)))",
        "(device (pci (dev (slot 0x00) (domain 0x0000) (key 0000:03:00.0) (bus 0x03) (vdevfn 0x100) (func 0x0) (opts \
         (msitranslate 0)))))",
        "(device (vscsi (feature-host 0) (p-dev a) (v-dev 0:0:0:0)))",
        "(device (vif (vifname v0)))",
        "(device (vtpm (backend 0)))",
        "(device (vkbd)) (device (vfb (vnc 1)))",
    ] {
        assert!(again.contains(part), "{part}\n{again}\n{}", xml.text);
    }
}

#[test]
fn a_fully_virtualised_guest_has_a_platform_and_a_screen() {
    let xml =
        printed("(vm (name h) (image (hvm (kernel hvmloader) (boot dc) (acpi 1) (vnc 1) (vncdisplay 3))))")
            .unwrap();
    for part in [
        "<hvm boot_policy=\"BIOS order\">\n      <boot_param key=\"order\" value=\"dc\"/>\n    </hvm>",
        "<console protocol=\"rfb\">\n      <other_config key=\"vnc\" value=\"1\"/>",
        "<platform key=\"acpi\" value=\"1\"/>",
    ] {
        assert!(xml.text.contains(part), "{part}\n{}", xml.text);
    }
    assert!(read(xml.text.as_bytes(), false).unwrap().flat().contains("(image (hvm (acpi 1) (boot dc)"));
}

#[test]
fn what_xml_has_no_place_for_is_told() {
    let lost =
        printed("(vm (vcpu_avail 1) (cpu 2) (target 0) (image (linux (ip a))) (device (irq (irq 7))))")
            .unwrap();
    assert_eq!(lost.left_out, ["vcpu_avail", "cpu", "ip", "irq"]);
    assert_eq!(
        printed("(vm (on_poweroff rename-restart))").unwrap_err(),
        "Invalid value: rename_restart; on_poweroff of <vm> takes destroy or restart"
    );
    assert_eq!(
        printed("(vm (on_crash coredump-destroy))").unwrap_err(),
        "Invalid value: coredump_destroy; on_crash of <vm> takes what Xen-API has a word for"
    );
}

#[test]
fn files_that_are_no_configuration_are_refused_with_the_line() {
    let wrong = |source: &[u8]| read(source, true).unwrap_err().to_string();
    assert!(wrong(b"<xm>\n<vm>").starts_with("line 2: "), "{}", wrong(b"<xm>\n<vm>"));
    assert!(wrong(b"<xm>\n</vm>").starts_with("line 2: "), "{}", wrong(b"<xm>\n</vm>"));
    assert_eq!(wrong(b"<xm/>"), "there is no <vm> in <xm>");
    assert_eq!(wrong(b"<xm/><xm/>"), "line 1: there is a second root");
    assert_eq!(wrong(b"<xm>&zap;</xm>"), "line 1: there is no entity 'zap'");
    assert_eq!(wrong(b"<xm>\n\xff</xm>"), "line 2: the text is not UTF-8");
    assert_eq!(wrong("<a>".repeat(50_000).as_bytes()), "line 1: elements are more than 32 deep");
    assert_eq!(wrong(&vec![b' '; MOST_BYTES + 1]), "more than 1048576 bytes are no configuration");
    assert_eq!(
        wrong(b"<xm><vm><memory dynamic_max='x'/></vm></xm>"),
        "Invalid value: x; dynamic_max of <memory> takes a number of bytes"
    );
    // Its own entities, which could grow without end, a file cannot have.
    let laughs = b"<!DOCTYPE xm [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><xm>&b;</xm>";
    assert_eq!(wrong(laughs), "line 1: there is no entity 'b'");
}

#[test]
fn a_file_that_is_not_as_the_dtd_says_is_read_with_skipdtd_only() {
    let source = b"<xm><vm vcpus_max='2'><name><label>g</label></name><pv kernel='k'/></vm></xm>";
    let error = read(source, false).unwrap_err().to_string();
    assert_eq!(error, "<vm> lacks <version> in its place; --skipdtd reads it as it is, as far as it goes");
    assert_eq!(
        read(source, true).unwrap().flat(),
        "(vm (name g) (vcpu_avail 0) (vcpus 2) (image (linux (kernel k))))".replace(" (vcpu_avail 0)", "")
    );
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in "[<>/&;='\" a-c!?\\[\\]-]{0,48}") {
        let _ = read(bytes.as_bytes(), true);
        let _ = read(format!("<xm><vm>{bytes}</vm></xm>").as_bytes(), false);
    }
}
