//! Makes a history short that shows something.

use crate::history::Step;

/// Leaves out steps as long as `shows` stays true, larger parts first. What comes back shows it too, and no single step of it can be
/// left out.
pub fn shrink(mut history: Vec<Step>, mut shows: impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut part = history.len().div_ceil(2);
    while part > 0 {
        let mut at = 0;
        let mut has_shrunk = false;
        while at < history.len() {
            let end = (at + part).min(history.len());
            let rest = [&history[..at], &history[end..]].concat();
            if shows(&rest) {
                history = rest;
                has_shrunk = true;
            } else {
                at = end;
            }
        }
        // At single steps, again until nothing more goes.
        if !(part == 1 && has_shrunk) {
            part /= 2;
        }
    }
    history
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let history: Vec<Step> = (0..50).map(Step::Boot).collect();
        let short = shrink(history, |rest| rest.contains(&Step::Boot(7)) && rest.contains(&Step::Boot(31)));
        assert_eq!(short, [Step::Boot(7), Step::Boot(31)]);
    }
}
