//! The wall clock, as people here read it.

/// The local time: hour, minute, second.
pub fn local_time() -> (u32, u32, u32) {
    // SAFETY: `time` with a null pointer only returns; `tm` is plain data for which zeros are valid; `localtime_r` writes to
    // the `tm` that it is given and to nothing else of ours. No other thread changes the environment (TZ).
    let tm = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&now, &mut tm);
        tm
    };
    let part = |value: libc::c_int| u32::try_from(value).unwrap_or_default();
    (part(tm.tm_hour), part(tm.tm_min), part(tm.tm_sec))
}
