//! The wall clock, as people here read it.

/// A moment, as a clock and a calendar show it here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Of our era.
    pub year: u32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 60.
    pub second: u32,
}

/// The local time: hour, minute, second.
pub fn local_time() -> (u32, u32, u32) {
    let LocalTime { hour, minute, second, .. } = local();
    (hour, minute, second)
}

/// The local time and date.
pub fn local() -> LocalTime {
    // SAFETY: `time` with a null pointer only returns; `tm` is plain data for which zeros are valid; `localtime_r` writes to
    // the `tm` that it is given and to nothing else of ours. No other thread changes the environment (TZ).
    let tm = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&now, &mut tm);
        tm
    };
    let part = |value: libc::c_int| u32::try_from(value).unwrap_or_default();
    LocalTime {
        year: part(tm.tm_year.saturating_add(1900)),
        month: part(tm.tm_mon.saturating_add(1)),
        day: part(tm.tm_mday),
        hour: part(tm.tm_hour),
        minute: part(tm.tm_min),
        second: part(tm.tm_sec),
    }
}
