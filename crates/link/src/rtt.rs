//! How long to wait for an acknowledgement.

use crate::time::Micros;

/// Before anything was measured.
const FIRST: Micros = Micros::from_millis(300);
/// Never less: the peer may hold an acknowledgement back, and a long frame may follow a short one into a slow line.
const LEAST: Micros = Micros::from_millis(100);
/// Never more, also after several timeouts in a row.
const MOST: Micros = Micros::from_millis(2_000);
/// Beside four deviations: what timers and schedulers of both ends add.
const SLACK: Micros = Micros::from_millis(20);

/// The smoothed round trip and its deviation (as in RFC 6298). Every sample is of one known
/// transmission, because the peer echoes its number: what Karn's rule throws away never arises.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoundTrip {
    smoothed: Option<Micros>,
    deviation: Micros,
    /// Timeouts since the last progress.
    backoff: u32,
}

impl RoundTrip {
    pub(crate) fn sample(&mut self, took: Micros) {
        let Some(smoothed) = self.smoothed else {
            self.smoothed = Some(took);
            self.deviation = Micros(took.0 / 2);
            return;
        };
        let error = took.0.abs_diff(smoothed.0);
        self.deviation = Micros((self.deviation.0 * 3 + error) / 4);
        self.smoothed = Some(Micros((smoothed.0 * 7 + took.0) / 8));
    }

    /// Something new was acknowledged.
    pub(crate) fn progress(&mut self) {
        self.backoff = 0;
    }

    /// Nothing was, in time.
    pub(crate) fn timed_out(&mut self) {
        self.backoff += 1;
    }

    /// How long the line may stay silent before the oldest frame is sent again.
    pub(crate) fn timeout(&self) -> Micros {
        let base = match self.smoothed {
            None => FIRST,
            Some(smoothed) => Micros(smoothed.0 + self.deviation.0 * 4 + SLACK.0).clamp(LEAST, MOST),
        };
        base.doubled(self.backoff, MOST)
    }

    pub(crate) fn smoothed(&self) -> Option<Micros> {
        self.smoothed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_the_line_and_doubles_up_to_its_bound() {
        let mut rtt = RoundTrip::default();
        assert_eq!(rtt.timeout(), FIRST);
        for _ in 0..50 {
            rtt.sample(Micros::from_millis(700));
        }
        assert!((720..800).contains(&(rtt.timeout().0 / 1000)), "{:?}", rtt.timeout());
        rtt.timed_out();
        assert!(rtt.timeout() > Micros::from_millis(1_400));
        for _ in 0..100 {
            rtt.timed_out();
        }
        assert_eq!(rtt.timeout(), MOST);
        rtt.progress();
        for _ in 0..100 {
            rtt.sample(Micros(500));
        }
        assert_eq!(rtt.timeout(), LEAST);
    }
}
