//! Every structure, field by field, against what a C compiler made of each release's headers.

mod common;

use std::collections::BTreeSet;

use common::{RELEASES, Row, rows, sources};
use xen_abi::layout::{Described, Layout};

macro_rules! list {
    ($($($segment:ident)::+ => $($type:ident),*;)*) => {
        [$({
            use $($segment)::+ as module;
            vec![$(<module::$type as Described>::LAYOUT),*]
        }),*]
        .concat()
    };
}

/// All that we define. A test below demands that none is missing.
fn ours() -> Vec<Layout> {
    list! {
        xen_abi::domctl =>
            Domctl, CreateDomain414, CreateDomain415, CreateDomain416, CreateDomain417, CreateDomain419,
            Altp2mOptions, CreateDomain421, GetDomainInfo414, GetDomainInfo415, GetDomainInfo416,
            ShadowOpStats, ShadowOp, MaxMem, GetVcpuInfo, VcpuAffinity, MaxVcpus, SchedCredit, SchedCredit2,
            SchedRtds, SchedParamVcpu, SchedVcpus, SchedulerOp, SetDomainHandle, SetTimeOffset, SendTrigger, HvmContext,
            HvmContextPartial, TscInfo, PagingMempool, VcpuContext;
        xen_abi::event_channel =>
            AllocUnbound, BindInterdomain, BindVirq, BindPirq, BindIpi, Close, Send, Status, BindVcpu,
            Unmask, Reset;
        xen_abi::grant_table =>
            GrantCopy, GrantCopyEnd, GrantEntryV1, MapGrantRef, UnmapGrantRef, SetupTable, QuerySize,
            SetVersion, GetVersion;
        xen_abi::memory =>
            MemoryReservation, AddToPhysmap, AddToPhysmapBatch, RemoveFromPhysmap, MemoryMap,
            ForeignMemoryMap, AcquireResource;
        xen_abi::physdev =>
            Eoi, IrqStatusQuery, MapPirq, UnmapPirq, SetupGsi, PciMmcfgReserved, PhysFn, PciDeviceAdd,
            PciDevice;
        xen_abi::sched => Shutdown, Poll, RemoteShutdown, Watchdog;
        xen_abi::sysctl =>
            Sysctl, ReadConsole, PhysInfo414, PhysInfo417, SchedId, GetDomainInfoList, DebugKeys, CpuInfo,
            GetCpuInfo, AvailHeap, CpuTopo, CpuTopoInfo, MemInfo, NumaInfo, CpuPoolOp, CreditSchedule,
            Credit2Schedule, SchedulerOp;
        xen_abi::vcpu => RunstateInfo, SetPeriodicTimer, SetSingleshotTimer, RegisterVcpuInfo;
        xen_abi::version => CompileInfo, FeatureInfo, PlatformParameters;
        xen_abi::xen =>
            MulticallEntry, XenctlBitmap, VcpuTimeInfo, ArchVcpuInfo, VcpuInfo, ArchSharedInfo, SharedInfo;
        xen_abi::arch_x86::save => SaveDescriptor, SaveHeader, HwCpu, HwMtrr;
        xen_abi::arch_x86::xen => ArchDomainConfig414, ArchDomainConfig415, VcpuGuestContext;
        xen_abi::hvm::hvm_op => HvmParam, EvtchnUpcallVector;
        xen_abi::hvm::start_info => StartInfo, ModlistEntry, MemmapTableEntry;
        xen_abi::io::console => ConsoleInterface414, ConsoleInterface421;
        xen_abi::io::libxenvchan => RingShared, VchanInterface;
        xen_abi::io::xs_wire => SockMsg, StoreInterface414, StoreInterface417, StoreInterface421;
    }
}

/// A field of a C structure in one release, relative to the part that a type of ours stands for.
struct CField<'t> {
    name: &'t str,
    offset: usize,
    size: usize,
}

/// The whole of a C structure (or of a member, for `struct.member`) in one release: its size and its fields.
fn c_layout<'t>(table: &'t [Row], c: &str, release: u16) -> Option<(usize, Vec<CField<'t>>)> {
    let (tag, member) = c.split_once('.').unwrap_or((c, ""));
    let rows: Vec<&Row> = table.iter().filter(|row| row[0] == tag && common::has(&row[4], release)).collect();
    let number = |text: &str| text.parse::<usize>().ok();
    let whole = rows.iter().find(|row| row[1] == member)?;
    let (base, size) = (number(&whole[2])?, number(&whole[3])?);
    let fields = rows.iter().filter_map(|row| {
        let name = if member.is_empty() {
            row[1].as_str()
        } else {
            row[1].strip_prefix(member)?.strip_prefix('.')?
        };
        // Members of members belong to their own types, bit fields to the word that holds them.
        let own = !name.is_empty() && !name.contains('.');
        Some(CField { name, offset: number(&row[2])?.checked_sub(base)?, size: number(&row[3])? })
            .filter(|_| own)
    });
    Some((size, fields.collect()))
}

/// What is wrong with a type in one release.
fn faults(ours: &Layout, table: &[Row], release: u16) -> Vec<String> {
    let at = format!("{} ({}) in 4.{release}", ours.rust, ours.c);
    let Some((size, theirs)) = c_layout(table, ours.c, release) else {
        return vec![format!("{at}: no such structure")];
    };
    let mut faults = Vec::new();
    if size != ours.size {
        faults.push(format!("{at}: {} bytes, should be {size}", ours.size));
    }
    let mut end = 0;
    for field in ours.fields {
        let name = field.name.trim_start_matches("r#");
        // IntoBytes sees to it that there is no hole; here, that no field was left out of the description.
        if field.offset != end {
            faults.push(format!("{at}: {name} at {}, but {end} bytes are described before it", field.offset));
        }
        end = field.offset + field.size;
        match theirs.iter().find(|their| their.name == name) {
            Some(their) if (their.offset, their.size) == (field.offset, field.size) => {}
            Some(their) => faults.push(format!(
                "{at}: {name} is {}+{}, should be {}+{}",
                field.offset, field.size, their.offset, their.size
            )),
            None if name.starts_with("_pad") => {
                let hit = theirs.iter().find(|their| {
                    their.size > 0 && their.offset < end && field.offset < their.offset + their.size
                });
                faults.extend(hit.map(|their| format!("{at}: {name} covers {}", their.name)));
            }
            None => faults.push(format!("{at}: C has no {name}")),
        }
    }
    if end != ours.size {
        faults.push(format!("{at}: only {end} of {} bytes are described", ours.size));
    }
    for their in theirs.iter().filter(|their| their.size > 0) {
        let named = ours.fields.iter().any(|field| field.name.trim_start_matches("r#") == their.name);
        if !named {
            faults.push(format!("{at}: {} is missing", their.name));
        }
    }
    faults
}

#[test]
fn every_field_of_every_structure_is_where_c_puts_it_in_every_release() {
    let table = rows("layouts.tsv", 5);
    let faults: Vec<String> = ours()
        .iter()
        .flat_map(|layout| (layout.first..=layout.last).map(move |release| (layout, release)))
        .flat_map(|(layout, release)| faults(layout, &table, release))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn each_release_that_has_a_structure_finds_exactly_one_type_for_it() {
    let table = rows("layouts.tsv", 5);
    let ours = ours();
    let structures: BTreeSet<&str> = ours.iter().map(|layout| layout.c).collect();
    for c in structures {
        for release in RELEASES {
            let types: Vec<&str> = ours
                .iter()
                .filter(|layout| layout.c == c && (layout.first..=layout.last).contains(&release))
                .map(|layout| layout.rust)
                .collect();
            let expected = usize::from(c_layout(&table, c, release).is_some());
            assert_eq!(types.len(), expected, "{c} in 4.{release}: {types:?}");
        }
    }
}

#[test]
fn no_structure_escapes_the_comparison() {
    let listed: BTreeSet<String> =
        ours().iter().map(|layout| format!("{} = {:?}", layout.rust, layout.c)).collect();
    let mut found = BTreeSet::new();
    for (path, source) in sources() {
        let mut structs = 0;
        for part in source.split("#[repr(C)]").skip(1) {
            let name: String = part
                .split_once("pub struct ")
                .map(|(_, rest)| rest.chars().take_while(|c| c.is_alphanumeric()).collect())
                .unwrap_or_default();
            // The firmware's format, which the public headers only refer to.
            if name != "E820Entry" {
                structs += 1;
            }
        }
        let mut described = 0;
        for part in source.split("\nassert_layout!(").skip(1) {
            let head = part.split(',').next().unwrap_or_default();
            found.insert(head.trim().to_owned());
            described += 1;
        }
        assert_eq!(structs, described, "structures and descriptions in {path}");
    }
    assert_eq!(found, listed);
}

#[test]
fn the_comparison_sees_what_is_wrong() {
    let table = rows("layouts.tsv", 5);
    let good = xen_abi::event_channel::AllocUnbound::LAYOUT;
    assert!(faults(&good, &table, 17).is_empty());
    let wrong_size = Layout { size: 12, ..good };
    assert_eq!(faults(&wrong_size, &table, 17).len(), 2);
    let missing = Layout { fields: &good.fields[..2], ..good };
    assert_eq!(faults(&missing, &table, 17).len(), 2);
    let other = Layout { c: "evtchn_bind_virq", ..good };
    assert!(faults(&other, &table, 17).len() > 3);
    assert_eq!(faults(&Layout { c: "nobody", ..good }, &table, 17).len(), 1);
    // A layout of another release.
    let old = xen_abi::domctl::CreateDomain414::LAYOUT;
    assert!(faults(&old, &table, 14).is_empty());
    assert!(!faults(&old, &table, 15).is_empty());
}
