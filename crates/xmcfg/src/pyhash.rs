//! The order in which Python 2 listed a dictionary's keys, and its hashes of texts.
//!
//! xm kept what a `vif` or `vfb` says in dictionaries and printed them as they came, and named disks in XML by a hash. Neither was
//! meant, but both were the same on every 64-bit machine, so a configuration printed here can be compared with one that xm printed.

/// `hash(text)`.
pub fn hash(text: &str) -> i64 {
    let bytes = text.as_bytes();
    let Some(&first) = bytes.first() else { return 0 };
    let start = i64::from(first) << 7;
    let mixed = bytes.iter().fold(start, |hash, &byte| hash.wrapping_mul(1_000_003) ^ i64::from(byte));
    // -1 was Python's mark of an error.
    match mixed ^ bytes.len() as i64 {
        -1 => -2,
        hash => hash,
    }
}

/// Pairs in the order in which a dictionary listed them that had got them one after the other; of two with one key, the last
/// one's value.
pub fn dictionary<T>(pairs: impl IntoIterator<Item = (String, T)>) -> Vec<(String, T)> {
    let mut table: Vec<Option<(String, T)>> = empty(8);
    let mut used = 0;
    for (key, value) in pairs {
        let slot = slot(&table, &key);
        used += usize::from(table[slot].is_none());
        table[slot] = Some((key, value));
        if used * 3 >= table.len() * 2 {
            let mut larger =
                empty(std::iter::successors(Some(8), |n| Some(n * 2)).find(|&n| n > used * 4).unwrap_or(8));
            for (key, value) in table.into_iter().flatten() {
                let slot = self::slot(&larger, &key);
                larger[slot] = Some((key, value));
            }
            table = larger;
        }
    }
    table.into_iter().flatten().collect()
}

fn empty<T>(size: usize) -> Vec<Option<T>> {
    std::iter::repeat_with(|| None).take(size).collect()
}

/// Where a key is, or would be put. The table is never full, and its size is a power of two.
fn slot<T>(table: &[Option<(String, T)>], key: &str) -> usize {
    let mask = table.len() as u64 - 1;
    let mut disturb = hash(key) as u64;
    let mut at = disturb & mask;
    loop {
        match &table[(at & mask) as usize] {
            Some((known, _)) if known != key => {}
            _ => return (at & mask) as usize,
        }
        at = (at << 2).wrapping_add(at).wrapping_add(disturb).wrapping_add(1);
        disturb >>= 5;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(keys: &str) -> String {
        let pairs = keys.split(' ').map(|key| (key.to_owned(), ()));
        dictionary(pairs).into_iter().map(|(key, ())| key).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn hashes_are_those_of_python_2() {
        for (text, number) in
            [("", 0), ("phy:vg/guest", 4_420_487_394_378_733_285), ("eth0", -4_664_220_514_485_057_761)]
        {
            assert_eq!(hash(text), number);
        }
    }

    #[test]
    fn keys_are_in_the_order_in_which_xm_printed_them() {
        for (put, listed) in [
            ("mac bridge", "bridge mac"),
            ("type bridge", "bridge type"),
            ("vnc vncunused keymap xauthority", "vncunused keymap vnc xauthority"),
            ("domain bus slot func vdevfn key opts", "slot domain key bus vdevfn func opts"),
        ] {
            assert_eq!(order(put), listed);
        }
    }

    #[test]
    fn a_key_has_its_last_value_and_many_keys_all_stay() {
        let pairs = (0..100).map(|n| (format!("k{}", n % 50), n));
        let mut listed = dictionary(pairs);
        listed.sort_by_key(|(_, n)| *n);
        assert_eq!(listed.iter().map(|(_, n)| *n).collect::<Vec<_>>(), (50..100).collect::<Vec<_>>());
    }
}
