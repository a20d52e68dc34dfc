//! What each call does: the bridge from messages to the toolstack.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proto::endpoints::{ALL, Endpoint, Hello};
use proto::host::Greeting;
use proto::wire::{Fault, Key};

use crate::system::System;

/// Finds the endpoint that `key` names, decodes, carries out, encodes.
pub async fn route(system: &'static System, key: Key, body: &[u8]) -> Result<Vec<u8>, Fault> {
    macro_rules! endpoints {
        ($($endpoint:ty => $handler:expr,)+) => {
            $(if key == <$endpoint as Endpoint>::KEY {
                let request = postcard::from_bytes::<<$endpoint as Endpoint>::Request>(body)
                    .map_err(|_| Fault::Malformed)?;
                let response: <$endpoint as Endpoint>::Response = $handler(system, request).await;
                return postcard::to_allocvec(&response).map_err(|_| Fault::Malformed);
            })+
        };
    }
    endpoints! {
        Hello => hello,
    }
    Err(Fault::UnknownKey)
}

async fn hello(system: &'static System, (): ()) -> Greeting {
    let abi = system.xen.abi();
    Greeting {
        version: env!("CARGO_PKG_VERSION").into(),
        boot_id: system.boot_id.get(),
        xen: format!("{}.{}", abi.major, abi.minor),
        uptime_ms: (system.clock.now_ns() - system.booted_ns) / 1_000_000,
        paths: ALL.iter().map(|(path, _)| String::from(*path)).collect(),
    }
}
