//! What a domain finds about itself in xenstore, and who may read or write it.
//!
//! Two trees a domain: `/local/domain/<domid>`, which it may read, and `/vm/<uuid>`, of which it may read the uuid
//! only. The keys are xend's, so that scripts and unmodified guests find what they look for. One road is not taken:
//! xend let the guest own `device`. Here it may only read it, since tools that list devices believe
//! what they find there (libxl learnt it by XSA-175 and XSA-178).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proto::domain::{Action, DomainConfig, ShutdownReason};
use xen_abi::{DomId, EvtchnPort, Gfn};
use xenstore::{Control, Perm};

use crate::name::{DOMAIN_0, DomainName, Uuid};
use crate::pools::FIRST_POOL;
use crate::rules::Restarts;

/// What is kept of a console, as xenconsoled announced it (its `console-limit` of 1,024 KiB).
const CONSOLE_LIMIT: &str = "1048576";

/// Writes nodes.
///
/// # Errors
/// A path or value that the store does not take; an owner that it does not know.
pub(crate) fn write(tree: &mut Control<'_>, nodes: &[Node]) -> Result<(), xenstore::Error> {
    const CONTROL: DomId = DomId(0);
    let nothing = |domid| Perm::new(domid, xenstore::Access::None);
    for node in nodes {
        match node.access {
            Access::Private => tree.write_with(&node.path, &node.value, &[nothing(CONTROL)])?,
            Access::Readable(domid) => {
                let perms = [nothing(CONTROL), Perm::new(domid, xenstore::Access::Read)];
                tree.write_with(&node.path, &node.value, &perms)?;
            }
            Access::Owned(domid) => tree.write_with(&node.path, &node.value, &[nothing(domid)])?,
        }
    }
    Ok(())
}

/// Who may do what with a node; the control domain may do everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nobody else.
    Private,
    /// The domain may read it.
    Readable(DomId),
    /// It is the domain's own.
    Owned(DomId),
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Absolute.
    pub(crate) path: String,
    pub(crate) value: String,
    pub(crate) access: Access,
}

/// One of a domain's two service channels, as the guest sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuestChannel {
    /// The ring's page.
    pub(crate) ring: Gfn,
    /// The guest's end.
    pub(crate) port: EvtchnPort,
}

/// Who a domain is, and what concerns it across restarts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    pub(crate) domid: DomId,
    pub(crate) name: &'a DomainName,
    pub(crate) uuid: Uuid,
    pub(crate) config: &'a DomainConfig,
    /// Its pool's name.
    pub(crate) pool: &'a str,
    pub(crate) restarts: Restarts,
    /// When it was created, in milliseconds since 1970.
    pub(crate) born_ms: u64,
}

/// What the layout tells of a domain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) identity: Identity<'a>,
    pub(crate) console: GuestChannel,
    pub(crate) store: GuestChannel,
}

/// The root of a domain's tree.
pub(crate) fn domain_path(domid: DomId) -> String {
    format!("/local/domain/{}", domid.0)
}

/// The root of what concerns the domain across restarts.
pub(crate) fn vm_path(uuid: Uuid) -> String {
    format!("/vm/{uuid}")
}

/// Every node of a new domain, parents before children.
pub(crate) fn nodes(facts: &Facts<'_>) -> Vec<Node> {
    let Identity { domid, config, .. } = facts.identity;
    let mut tree = Tree::of(domid);
    tree.add("", "");
    tree.nodes.extend(identity_nodes(&facts.identity));
    tree.add("domid", &domid.0.to_string());
    for (key, channel) in [("console", facts.console), ("store", facts.store)] {
        tree.add(key, "");
        tree.add(&format!("{key}/ring-ref"), &channel.ring.0.to_string());
        tree.add(&format!("{key}/port"), &channel.port.0.to_string());
    }
    tree.add("console/limit", CONSOLE_LIMIT);
    tree.add("console/type", "xenconsoled");
    tree.add("device", "");
    tree.add("cpu", "");
    for vcpu in 0..config.max_vcpus {
        tree.add(&format!("cpu/{vcpu}"), "");
        tree.add(&format!("cpu/{vcpu}/availability"), availability(vcpu, config));
    }
    tree.access = Access::Owned(domid);
    for own in ["control", "memory", "error", "drivers", "feature", "attr", "guest", "hvmpv", "data"] {
        tree.add(own, "");
    }
    for request in ["control/shutdown", "control/sysrq"] {
        tree.add(request, "");
    }
    tree.access = Access::Readable(domid);
    tree.add("control/platform-feature-multiprocessor-suspend", "1");
    tree.add("control/platform-feature-xs_reset_watches", "1");
    // Linux takes the difference between this and what it booted with for memory that it cannot give back, and
    // subtracts it from every target. It boots with `memory_kib`, so that is what stands here.
    tree.add("memory/static-max", &config.memory_kib.to_string());
    tree.add("memory/target", &config.memory_kib.to_string());
    tree.nodes
}

/// The nodes that change when a domain is given another name and uuid.
pub(crate) fn identity_nodes(identity: &Identity<'_>) -> Vec<Node> {
    let mut tree = Tree::of(identity.domid);
    tree.add("vm", &vm_path(identity.uuid));
    tree.add("name", identity.name.as_str());
    tree.nodes.extend(vm_nodes(identity));
    tree.nodes
}

/// The nodes that change when a domain is given another name.
pub(crate) fn name_nodes(domid: DomId, uuid: Uuid, name: &DomainName) -> [Node; 2] {
    let path = format!("{}/name", vm_path(uuid));
    [
        domain_node(domid, "name", name.as_str()),
        Node { path, value: name.as_str().into(), access: Access::Private },
    ]
}

/// A node below a domain's root, for it to read.
pub(crate) fn domain_node(domid: DomId, key: &str, value: &str) -> Node {
    Node {
        path: format!("{}/{key}", domain_path(domid)),
        value: value.into(),
        access: Access::Readable(domid),
    }
}

/// Tells since when a domain has been asked to end. xend wrote Python's `time.time()`.
pub(crate) fn asked_node(domid: DomId, unix_ms: u64) -> Node {
    domain_node(domid, "xend/shutdown_start_time", &seconds(unix_ms))
}

/// Tells how a domain ended last.
pub(crate) fn last_end_node(uuid: Uuid, reason: ShutdownReason) -> Node {
    vm_node(uuid, "xend/last_shutdown_reason", &reason_word(reason))
}

/// Tells in which pool a domain is.
pub(crate) fn pool_node(uuid: Uuid, pool: &str) -> Node {
    vm_node(uuid, "pool_name", pool)
}

/// A node below `/vm/<uuid>`.
pub(crate) fn vm_node(uuid: Uuid, key: &str, value: &str) -> Node {
    Node { path: format!("{}/{key}", vm_path(uuid)), value: value.into(), access: Access::Private }
}

/// The nodes below `/vm/<uuid>`.
fn vm_nodes(identity: &Identity<'_>) -> Vec<Node> {
    let Identity { domid, name, uuid, config, pool, restarts, born_ms } = *identity;
    let mut tree = Tree { root: vm_path(uuid), access: Access::Private, nodes: Vec::new() };
    tree.add("", "");
    tree.add("name", name.as_str());
    tree.add("memory", &mib_text(config.memory_kib));
    tree.add("maxmem", &mib_text(config.max_memory_kib));
    tree.add("vcpus", &config.max_vcpus.to_string());
    tree.add("vcpu_avail", &available(config.vcpus).to_string());
    tree.add("on_poweroff", action_word(config.on_poweroff));
    tree.add("on_reboot", action_word(config.on_reboot));
    tree.add("on_crash", action_word(config.on_crash));
    tree.add("pool_name", pool);
    tree.add("start_time", &seconds(born_ms));
    tree.add("xend", "");
    tree.add("xend/restart_count", &restarts.count.to_string());
    if let Some(reason) = restarts.last_end {
        tree.nodes.push(last_end_node(uuid, reason));
    }
    tree.access = Access::Readable(domid);
    tree.add("uuid", &uuid.to_string());
    tree.nodes
}

/// The nodes that tell a domain how much memory to have.
pub(crate) fn target_nodes(domid: DomId, uuid: Uuid, config: &DomainConfig) -> Vec<Node> {
    let mut tree = Tree { root: domain_path(domid), access: Access::Readable(domid), nodes: Vec::new() };
    tree.add("memory/target", &config.memory_kib.to_string());
    tree.go_to(vm_path(uuid), Access::Private);
    tree.add("memory", &mib_text(config.memory_kib));
    tree.nodes
}

/// The nodes that tell the most memory that a domain may have. Not `memory/static-max`: that is about how it was booted.
pub(crate) fn maximum_nodes(_: DomId, uuid: Uuid, config: &DomainConfig) -> Vec<Node> {
    let mut tree = Tree { root: vm_path(uuid), access: Access::Private, nodes: Vec::new() };
    tree.add("maxmem", &mib_text(config.max_memory_kib));
    tree.nodes
}

/// The nodes that tell a domain which vCPUs to have online.
pub(crate) fn availability_nodes(domid: DomId, uuid: Uuid, config: &DomainConfig) -> Vec<Node> {
    let mut tree = Tree { root: vm_path(uuid), access: Access::Private, nodes: Vec::new() };
    tree.add("vcpu_avail", &available(config.vcpus).to_string());
    tree.go_to(domain_path(domid), Access::Readable(domid));
    for vcpu in 0..config.max_vcpus {
        tree.add(&format!("cpu/{vcpu}/availability"), availability(vcpu, config));
    }
    tree.nodes
}

/// The control domain's own nodes.
pub(crate) fn control_domain_nodes() -> Vec<Node> {
    let domid = DomId(0);
    let mut tree = Tree { root: domain_path(domid), access: Access::Private, nodes: Vec::new() };
    tree.add("", "");
    tree.add("vm", &vm_path(Uuid::ZERO));
    tree.add("name", DOMAIN_0);
    tree.add("domid", "0");
    tree.root = pool_path(0);
    tree.add("name", FIRST_POOL);
    tree.root = vm_path(Uuid::ZERO);
    tree.add("", "");
    tree.add("uuid", &Uuid::ZERO.to_string());
    tree.add("name", DOMAIN_0);
    tree.nodes
}

fn availability(vcpu: u32, config: &DomainConfig) -> &'static str {
    if vcpu < config.vcpus { "online" } else { "offline" }
}

fn mib_text(kib: u64) -> String {
    kib.div_ceil(1024).to_string()
}

/// xend's mask of vCPUs that are online.
fn available(vcpus: u32) -> u128 {
    1u128.checked_shl(vcpus).map_or(u128::MAX, |bit| bit - 1)
}

fn action_word(action: Action) -> &'static str {
    match action {
        Action::Destroy => "destroy",
        Action::Restart => "restart",
        Action::Preserve => "preserve",
        Action::RenameRestart => "rename-restart",
        Action::CoredumpDestroy => "coredump-destroy",
        Action::CoredumpRestart => "coredump-restart",
    }
}

/// A shutdown's reason in xend's word, where it had one.
fn reason_word(reason: ShutdownReason) -> String {
    match reason {
        ShutdownReason::Poweroff => "poweroff".into(),
        ShutdownReason::Reboot => "reboot".into(),
        ShutdownReason::Suspend => "suspend".into(),
        ShutdownReason::Crash => "crash".into(),
        ShutdownReason::Watchdog => "watchdog".into(),
        ShutdownReason::SoftReset => "soft_reset".into(),
        ShutdownReason::Other(number) => number.to_string(),
    }
}

/// Where a pool of processors has its name.
pub(crate) fn pool_path(id: u32) -> String {
    format!("/local/pool/{id}")
}

/// Milliseconds as seconds with two digits behind the point, as Python's `str` gave them.
fn seconds(ms: u64) -> String {
    format!("{}.{:02}", ms / 1000, ms % 1000 / 10)
}

struct Tree {
    root: String,
    access: Access,
    nodes: Vec<Node>,
}

impl Tree {
    /// A domain's own tree, for it to read.
    fn of(domid: DomId) -> Self {
        Self { root: domain_path(domid), access: Access::Readable(domid), nodes: Vec::new() }
    }

    /// Goes on at another place.
    fn go_to(&mut self, root: String, access: Access) {
        (self.root, self.access) = (root, access);
    }

    fn add(&mut self, key: &str, value: &str) {
        let separator = if key.is_empty() { "" } else { "/" };
        let path = format!("{}{separator}{key}", self.root);
        self.nodes.push(Node { path, value: value.into(), access: self.access });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::config;

    fn example() -> Vec<Node> {
        let config = DomainConfig { vcpus: 1, max_vcpus: 2, memory_kib: 8193, ..config("a") };
        let channel = |n: u64| GuestChannel { ring: Gfn(0xfeff0 + n), port: EvtchnPort(n as u32) };
        let restarts = Restarts { count: 3, last_ns: None, last_end: Some(ShutdownReason::SoftReset) };
        nodes(&Facts {
            identity: Identity {
                domid: DomId(7),
                name: &DomainName::parse("a").unwrap(),
                uuid: Uuid([0xab; 16]),
                config: &config,
                pool: "Pool-0",
                restarts,
                born_ms: 1_234_567_890_129,
            },
            console: channel(1),
            store: channel(2),
        })
    }

    #[test]
    fn the_layout_is_xends() {
        let nodes = example();
        let vm = "/vm/abababab-abab-abab-abab-abababababab";
        let dom = |key: &str| format!("/local/domain/7/{key}");
        let readable = Access::Readable(DomId(7));
        let owned = Access::Owned(DomId(7));
        for (path, value, access) in [
            ("/local/domain/7".to_string(), "", readable),
            (dom("vm"), vm, readable),
            (dom("name"), "a", readable),
            (dom("domid"), "7", readable),
            (dom("console/ring-ref"), "1044465", readable),
            (dom("console/port"), "1", readable),
            (dom("console/limit"), "1048576", readable),
            (dom("console/type"), "xenconsoled", readable),
            (dom("store/ring-ref"), "1044466", readable),
            (dom("store/port"), "2", readable),
            (dom("memory/target"), "8193", readable),
            (dom("memory/static-max"), "8193", readable),
            (dom("cpu/0/availability"), "online", readable),
            (dom("cpu/1/availability"), "offline", readable),
            (dom("control"), "", owned),
            (dom("control/shutdown"), "", owned),
            (dom("data"), "", owned),
            (dom("error"), "", owned),
            (dom("device"), "", readable),
            (format!("{vm}/uuid"), "abababab-abab-abab-abab-abababababab", readable),
            (format!("{vm}/name"), "a", Access::Private),
            (format!("{vm}/memory"), "9", Access::Private),
            (format!("{vm}/vcpu_avail"), "1", Access::Private),
            (format!("{vm}/on_crash"), "destroy", Access::Private),
            (format!("{vm}/xend/restart_count"), "3", Access::Private),
            (format!("{vm}/xend/last_shutdown_reason"), "soft_reset", Access::Private),
            (format!("{vm}/start_time"), "1234567890.12", Access::Private),
        ] {
            let found = nodes.iter().find(|n| n.path == path).unwrap_or_else(|| panic!("{path} is missing"));
            assert_eq!((found.value.as_str(), found.access), (value, access), "{path}");
        }
    }

    #[test]
    fn every_node_comes_once_and_after_its_parent() {
        let nodes = example();
        for (i, node) in nodes.iter().enumerate() {
            let before = &nodes[..i];
            assert!(before.iter().all(|n| n.path != node.path), "{} twice", node.path);
            let parent = node.path.rsplit_once('/').unwrap().0;
            let known = before.iter().any(|n| n.path == parent);
            assert!(known || ["/local/domain", "/vm"].contains(&parent), "{} before its parent", node.path);
        }
    }

    #[test]
    fn the_mask_of_online_vcpus_covers_every_number() {
        assert_eq!(available(1), 1);
        assert_eq!(available(3), 7);
        assert_eq!(available(127), u128::MAX >> 1);
        assert_eq!(available(128), u128::MAX);
        assert_eq!(available(4096), u128::MAX);
    }
}
