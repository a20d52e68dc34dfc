//! Commands on devices and virtual networks.

use super::{Command, absent};

/// In the order of the long help.
pub(super) static ROWS: &[Command] = &[
    absent(
        "block-attach",
        "<Domain> <BackDev> <FrontDev> <Mode> [BackDomain]",
        "Give a domain a new block device.",
    ),
    absent("block-detach", "<Domain> <DevId> [-f|--force]", "Take a block device from a domain."),
    absent("block-list", "<Domain> [--long]", "List a domain's block devices."),
    absent(
        "block-configure",
        "<Domain> <BackDev> <FrontDev> <Mode> [BackDomain]",
        "Change a domain's block device.",
    ),
    absent(
        "network-attach",
        "<Domain> [type=<type>] [mac=<mac>] [bridge=<bridge>] [ip=<ip>] [script=<script>] [backend=<BackDomain>] [vifname=<name>] [rate=<rate>] [model=<model>][accel=<accel>]",
        "Give a domain a new network interface.",
    ),
    absent("network-detach", "<Domain> <DevId|mac> [-f|--force]", "Take a network interface from a domain."),
    absent("network-list", "<Domain> [--long]", "List a domain's network interfaces."),
    absent("network2-attach", "<Domain> [vars]", "Give a domain a new netchannel2 interface."),
    absent("network2-detach", "<Domain> <DevId>", "Take a netchannel2 interface from a domain."),
    absent("network2-list", "<Domain>", "List a domain's netchannel2 interfaces."),
    absent("vtpm-list", "<Domain> [--long]", "List a domain's virtual TPMs."),
    absent(
        "pci-attach",
        "[-o|--options=<opt>] <Domain> <domain:bus:slot.func> [virtual slot]",
        "Give a PCI device to a domain.",
    ),
    absent("pci-detach", "<Domain> <domain:bus:slot.func>", "Take a PCI device from a domain."),
    absent("pci-list", "<Domain>", "List a domain's PCI devices."),
    absent("pci-list-assignable-devices", "", "List the PCI devices that can be given away."),
    absent(
        "scsi-attach",
        "<Domain> <PhysDevice> <VirtDevice> [BackDomain]",
        "Give a SCSI device to a domain.",
    ),
    absent("scsi-detach", "<Domain> <VirtDevice>", "Take a SCSI device from a domain."),
    absent("scsi-list", "<Domain> [--long]", "List a domain's SCSI devices."),
    absent("usb-attach", "<Domain> <DevId> <PortNumber> <BusId>", "Give a USB device to a domain."),
    absent("usb-detach", "<Domain> <DevId> <PortNumber>", "Take a USB device from a domain."),
    absent("usb-list", "<Domain>", "List a domain's USB devices."),
    absent("usb-list-assignable-devices", "", "List the USB devices that can be given away."),
    absent("usb-hc-create", "<Domain> <USBSpecVer> <NumberOfPorts>", "Give a domain a USB host controller."),
    absent("usb-hc-destroy", "<Domain> <DevId>", "Take a USB host controller from a domain."),
    absent("vnet-list", "[-l|--long]", "List virtual networks."),
    absent("vnet-create", "<ConfigFile>", "Create a virtual network."),
    absent("vnet-delete", "<VnetId>", "Delete a virtual network."),
];
