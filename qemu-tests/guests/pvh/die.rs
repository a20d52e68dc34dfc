//! What a guest does when it panics: crash, so that the test sees it.

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: an undefined instruction without an interrupt table is a triple fault, which ends this guest.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}
