//! How long reading a journal of 10,000 records takes: 1,000 entries of 1 KiB, each written ten times.
//!
//! `cargo run --release -p journal --example replay_speed`

use std::time::Instant;

use journal::header::Header;
use journal::{Change, Id, Index, Key};

fn main() {
    let id = Id([9; 16]);
    let (mut bytes, mut index) = (Header { id, first_seq: 1 }.encode(), Index::new(id));
    for n in 0..10_000u128 {
        let key = Key { kind: 1, id: (n % 1000).to_le_bytes() };
        let draft =
            index.draft(key, Change::Put { head: &[1; 64], body: &[2; 1024] }).expect("it is in bounds");
        bytes.extend(&draft.bytes);
        index.commit(draft);
    }
    let mut times: Vec<f64> = (0..21)
        .map(|_| {
            let start = Instant::now();
            let read = Index::replay(&bytes).expect("it is whole");
            assert_eq!(read.len(), 1000);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{} bytes: {:.2} ms (median of 21; {:.2} to {:.2})",
        bytes.len(),
        times[10],
        times[0],
        times[20]
    );
}
