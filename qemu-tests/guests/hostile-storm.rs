//! Sends events on its console's and its store's channel as fast as it can, with nothing to read behind them.
#![no_std]
#![no_main]

use pvh::ring::SharedPage;

#[unsafe(no_mangle)]
extern "C" fn guest_main() -> ! {
    let (console, store) = (SharedPage::console(), SharedPage::store());
    loop {
        console.notify();
        store.notify();
    }
}
