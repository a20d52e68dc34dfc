//! Bad input: each gives one clear error and a documented status, and leaves nothing behind.

mod suite;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use qemu_tests::machine::PATIENCE;
use qemu_tests::process::{self, Done};
use qemu_tests::{Boot, Machine, artifacts};
use tempfile::NamedTempFile;

fn main() -> ExitCode {
    suite::main(&[(
        Boot::PLAIN,
        &[
            ("a kernel that cannot be booted is refused with the reason", bad_kernels),
            ("a ramdisk that does not fit is refused", ramdisk_too_large),
            ("memory that makes no sense is refused", bad_memory),
            ("a number of vcpus that makes no sense is refused", bad_vcpus),
            ("a name in use is refused, also for two creates at once", names),
            ("devices and files that are not there are refused", nothing_there),
            ("a domain that does not exist is status 3", no_such_domain),
            ("a lab that does not exist is named", no_such_lab),
        ],
    )])
}

/// One clear error: status 1 and one line that has these words.
fn refused(done: Done, words: &[&str]) -> Result<()> {
    let done = done.with_code(1)?;
    let errors: Vec<&str> = done.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    ensure!(errors.len() == 1 && errors[0].starts_with("Error: "), "{done:#}");
    let said = errors[0].to_lowercase();
    ensure!(words.iter().any(|word| said.contains(word)), "{done:#}: none of {words:?}");
    Ok(())
}

/// A file with this content, gone when dropped.
fn file(name: &str, content: &[u8]) -> Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(&format!("nanodom-{name}-")).tempfile()?;
    file.write_all(content)?;
    Ok(file)
}

fn bad_kernels(machine: &Machine) -> Result<()> {
    refused(
        machine.create_by("x", Path::new("/nonexistent/kernel"), &["memory=4"])?,
        &["cannot find kernel"],
    )?;

    let good = std::fs::read(artifacts::guest("obey")?)?;
    let mut not_pvh = good.clone();
    // The note's owner is `Xen` no more.
    let owner = not_pvh.windows(4).position(|window| window == b"Xen\0").expect("the guest has a note");
    not_pvh[owner] = b'Y';
    let mut too_large = good.clone();
    // The first segment's size in memory (p_memsz of the first program header): 64 GiB.
    too_large[64 + 40..64 + 48].copy_from_slice(&(64u64 << 30).to_le_bytes());
    let cases: [(&str, &[u8], &[&str]); 6] = [
        ("empty", b"", &["empty", "elf", "truncated", "length"]),
        ("text", b"#!/bin/sh\necho I am no kernel\n", &["elf"]),
        ("truncated", &good[..good.len() / 2], &["truncated", "ends", "short"]),
        ("headless", &good[..40], &["truncated", "elf", "ends", "short"]),
        ("not-pvh", &not_pvh, &["pvh"]),
        ("too-large", &too_large, &["segment", "fit", "memory"]),
    ];
    for (name, content, words) in cases {
        let file = file(name, content)?;
        refused(machine.create_by("x", file.path(), &["memory=4"])?, words)?;
    }
    Ok(())
}

fn ramdisk_too_large(machine: &Machine) -> Result<()> {
    let disk = file("ramdisk", &vec![0x5a; 8 << 20])?;
    let word = format!("ramdisk={}", disk.path().display());
    refused(machine.create_by("x", &artifacts::guest("idle")?, &["memory=4", &word])?, &["fit", "memory"])
}

fn bad_memory(machine: &Machine) -> Result<()> {
    let idle = artifacts::guest("idle")?;
    refused(machine.create_by("x", &idle, &["memory=100000"])?, &["memory"])?;
    refused(machine.create_by("x", &idle, &["memory=much"])?, &["invalid value"])
}

fn bad_vcpus(machine: &Machine) -> Result<()> {
    let idle = artifacts::guest("idle")?;
    for vcpus in ["vcpus=0", "vcpus=100000"] {
        refused(machine.create_by("x", &idle, &["memory=4", vcpus])?, &["vcpu"])?;
    }
    Ok(())
}

fn names(machine: &Machine) -> Result<()> {
    let idle = artifacts::guest("idle")?;
    let kernel = format!("kernel={}", idle.display());
    machine.create("twin", &idle, &["memory=4"])?;
    refused(machine.create_by("twin", &idle, &["memory=4"])?, &["exists", "already", "in use"])?;
    machine.destroy("twin")?;
    refused(machine.create_by("a/b", &idle, &["memory=4"])?, &["name"])?;

    let words = ["create", "-q", "/dev/null", "name=twin", &kernel, "memory=4"];
    let both = [machine.start_xm(&words)?, machine.start_xm(&words)?];
    let mut codes = Vec::new();
    for one in both {
        codes.push(one.finish(PATIENCE)?.code);
    }
    codes.sort();
    ensure!(codes == [Some(0), Some(1)], "two creates of one name ended with {codes:?}");
    ensure!(machine.domains()? == ["twin"], "{:?}", machine.domains()?);
    machine.destroy("twin")
}

fn nothing_there(machine: &Machine) -> Result<()> {
    let idle = artifacts::guest("idle")?;
    refused(machine.create_by("x", &idle, &["memory=4", "disk=phy:vg/x,xvda,w"])?, &["disk"])?;
    refused(machine.xm(&["create", "/nonexistent/config"])?, &["unable to open config file"])
}

fn no_such_domain(machine: &Machine) -> Result<()> {
    for command in ["destroy", "pause", "unpause", "domid", "domname"] {
        let done = machine.xm(&[command, "nobody"])?.with_code(3)?;
        ensure!(done.stderr.trim() == "Error: Domain 'nobody' does not exist.", "{done:#}");
    }
    let done = machine.xm(&["console", "nobody"])?;
    ensure!(done.code != Some(0) && done.stderr.contains("nobody"), "{done:#}");
    Ok(())
}

fn no_such_lab(machine: &Machine) -> Result<()> {
    let mut command = machine.xm_command(&["list"]);
    command.env("HOSTCTL_CONNECT", "lab:gone");
    let done = process::run(&mut command, PATIENCE)?;
    ensure!(done.code == Some(1) && done.stderr.contains("gone"), "{done:#}");
    Ok(())
}
