//! Fills its console page and its store page with garbage, indices and all, and says each time that there is news.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering;

use pvh::ring::SharedPage;

#[unsafe(no_mangle)]
extern "C" fn guest_main() -> ! {
    let pages = [SharedPage::console(), SharedPage::store()];
    let mut random: u32 = 0x9e37_79b9;
    loop {
        for page in pages {
            for offset in (0..4096).step_by(4) {
                // xorshift32: any garbage will do, but the same in each run.
                random ^= random << 13;
                random ^= random >> 17;
                random ^= random << 5;
                page.word(offset).store(random, Ordering::Relaxed);
            }
            page.notify();
        }
    }
}
