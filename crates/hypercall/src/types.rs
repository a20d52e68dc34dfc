//! What the typed calls take and answer, free of any release's layout.

mod create;
mod host;
mod info;

pub use create::{CreateDomain, CreateFlags, Emulation};
pub use host::{
    Capabilities, CompileInfo, ConsoleText, CpuPool, CpuTopology, HostInfo, NodeMemory, Scheduler,
};
pub use info::{DomainInfo, EvtchnState, EvtchnStatus, ShutdownReason, VcpuState};
