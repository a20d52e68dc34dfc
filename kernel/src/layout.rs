//! Where the image lies: the linker script's symbols, named here and nowhere else.

use core::ops::Range;

unsafe extern "C" {
    static image_start: u8;
    static image_end: u8;
    static text_start: u8;
    static text_end: u8;
    static rodata_start: u8;
    static rodata_end: u8;
    static data_start: u8;
    static bss_end: u8;
    static stack_guard: u8;
    static stack_bottom: u8;
    static stack_top: u8;
}

macro_rules! range {
    ($($(#[$doc:meta])* $name:ident: $from:ident .. $to:ident;)+) => {$(
        $(#[$doc])*
        pub fn $name() -> Range<u64> {
            (&raw const $from) as u64..(&raw const $to) as u64
        }
    )+};
}

range! {
    /// All of the image, the stack and zeroed data included.
    image: image_start .. image_end;
    /// Code: read and execute.
    text: text_start .. text_end;
    /// Constants: read only.
    rodata: rodata_start .. rodata_end;
    /// Data, zeroed data and the stack: read and write.
    data: data_start .. bss_end;
    /// The page below the stack, which is never mapped.
    guard: stack_guard .. stack_bottom;
    /// The stack.
    stack: stack_bottom .. stack_top;
}
