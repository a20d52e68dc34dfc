//! A dump of a domain's memory, on a stream or beside it.

use alloc::vec::Vec;

use hypercall::{Aperture, Door};
use proto::dump::DumpPause;
use toolstack::Dump;
use uploads::{Gone, Outlet, PATIENCE_NS};

use crate::control::Control;
use crate::host::Host;
use crate::services::Lent;

/// Sends all of a dump. The domain is let go with its last page, or, if it is to be held, when the caller has ended the stream.
pub(crate) async fn send<M: Door + Aperture + 'static, H: Host>(
    control: &'static Control<M, H>,
    mut dump: Dump<'static, 'static, M, Lent<H>>,
    mut outlet: Outlet<H::Memory>,
    pause: DumpPause,
) {
    let (domid, begun_ns) = (dump.domid(), control.host().now_ns());
    let mut sent = 0;
    let result = async {
        let breathe = async || control.host().yield_now().await;
        let patience = async || control.sleep_ns(PATIENCE_NS).await;
        let mut records = Vec::new();
        while {
            records.clear();
            let has_more = dump.more(&mut records);
            sent += records.len();
            outlet.send(&records, &breathe, &patience).await?;
            has_more
        } {
            breathe().await;
        }
        if pause != DumpPause::Holding {
            dump.resume();
        }
        outlet.finish(&patience).await
    };
    let result = result.await;
    let ms = (control.host().now_ns() - begun_ns) / 1_000_000;
    match result {
        Ok(()) => log::info!("d{domid}: its dump left in {sent} bytes and {ms} ms"),
        Err(Gone::Broken) => log::warn!("d{domid}: its dump was thrown away after {sent} bytes and {ms} ms"),
        Err(gone) => log::warn!("d{domid}: its dump is given up after {sent} bytes and {ms} ms: {gone:?}"),
    }
}
