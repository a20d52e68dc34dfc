//! Sets the indices of its console ring and its store ring to values that no honest guest writes.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering;

use pvh::ring::{IN_CONS, OUT_PROD, SharedPage};

/// Offsets of `req_prod` and `rsp_cons` in `struct xenstore_domain_interface`.
const REQ_PROD: usize = 2052;
const RSP_CONS: usize = 2056;

/// Full, one too many, behind by one, half of all, the largest.
const VALUES: [u32; 7] = [1024, 1025, 2048, 2049, u32::MAX, 1 << 31, u32::MAX - 1024];

#[unsafe(no_mangle)]
extern "C" fn guest_main() -> ! {
    let (console, store) = (SharedPage::console(), SharedPage::store());
    loop {
        for value in VALUES {
            for (page, offset) in [(console, OUT_PROD), (console, IN_CONS), (store, REQ_PROD), (store, RSP_CONS)] {
                page.word(offset).store(value, Ordering::Release);
                page.notify();
            }
        }
    }
}
