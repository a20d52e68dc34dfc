//! The wall clock, as people here read it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, as a clock and a calendar show it here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// `2026-11-28 14:03:59`
impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LocalTime { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

/// A moment that earlier ones are reckoned from.
#[derive(Clone, Copy, Debug)]
pub struct Moment(Duration);

impl Moment {
    /// This moment.
    pub fn now() -> Moment {
        Moment(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// The moment so long before, as it is told here.
    pub fn before(self, age: Duration) -> LocalTime {
        let seconds = i64::try_from(self.0.saturating_sub(age).as_secs()).unwrap_or(i64::MAX);
        // SAFETY: `tm` is plain data for which zeros are valid; `localtime_r` reads the seconds, writes to the `tm` that it is
        // given and to nothing else of ours. No other thread changes the environment (TZ).
        let tm = unsafe {
            let mut tm: libc::tm = std::mem::zeroed();
            libc::localtime_r(&seconds, &mut tm);
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
}

/// The local time: hour, minute, second.
pub fn local_time() -> (u32, u32, u32) {
    let LocalTime { hour, minute, second, .. } = local();
    (hour, minute, second)
}

/// The local time and date.
pub fn local() -> LocalTime {
    Moment::now().before(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_date_and_time() {
        let text = Moment(Duration::from_secs(1_800_000_000)).before(Duration::from_secs(3)).to_string();
        // Whatever the zone, which tests must not set.
        assert!(text.starts_with("2027-01-1") && text.ends_with("57") && text.len() == 19, "{text}");
    }
}
