//! A hundred domains that come, work, break off and go, on one `hostctl xenstored`: no reply is lost, no update either, and memory
//! stays what it was.
//!
//! As a test it goes a fixed number of rounds. `cargo xtask soak store --seconds N` has it go on for a time
//! (`XENSTORED_SOAK_SECONDS`).

mod xenstored_server;

use std::time::{Duration, Instant};

use xenstored_server::*;

const DOMAINS: u16 = 100;
/// Rounds without a time given.
const ROUNDS: u64 = 40;
/// Rounds before memory counts: every domain has gone and come again once.
const WARM: u64 = 20;
/// How much memory may grow afterwards, in KiB: what an allocator's pages may differ by.
const GROWTH: u64 = 2048;

/// One domain's end, and what must be true of it.
struct Domain {
    domid: u16,
    talker: Talker,
    /// What it has written to its own counter.
    own: u64,
}

impl Domain {
    fn home(&self) -> String {
        format!("/local/domain/{}", self.domid)
    }
}

/// A small generator: the same histories in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What was done, in all.
#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    requests: u64,
    events: u64,
    commits: u64,
    conflicts: u64,
    departures: u64,
}

struct Soak {
    server: Server,
    control: Talker,
    domains: Vec<Domain>,
    dice: Dice,
    tally: Tally,
}

impl Soak {
    fn new() -> Self {
        let domids: Vec<u16> = (1..=DOMAINS).collect();
        let server = Server::with_domains(&domids);
        let mut control = server.connect();
        control.ask(WRITE, 0, "/shared\x000").unwrap();
        control.ask(SET_PERMS, 0, "/shared\0b0\0").unwrap();
        let domains = domids.iter().map(|domid| move_in(&server, &mut control, *domid)).collect();
        Soak { server, control, domains, dice: Dice(7), tally: Tally::default() }
    }

    fn round(&mut self) {
        self.tally.rounds += 1;
        self.transactions();
        self.nodes();
        self.watches();
        self.departures();
    }

    /// All domains at once add one to their own counter, each in a transaction, and every fourth to one that they share besides.
    fn transactions(&mut self) {
        let round = self.tally.rounds;
        let shares = |domain: &Domain| (u64::from(domain.domid) + round).is_multiple_of(4);
        let before: u64 = self.control.ask(READ, 0, "/shared\0").unwrap().parse().unwrap();
        let ids: Vec<u32> = self.each(|domain| domain.talker.send(START, 0, "\0"), |_, reply| number(reply));
        let mut ids = ids.into_iter();
        let read = |domain: &mut Domain| {
            let id = ids.next().expect("one each");
            domain.talker.send(READ, id, if shares(domain) { "/shared\0" } else { "count\0" });
            id
        };
        let values = self.each_with(read, |_, id, reply| (id, number::<u64>(reply)));
        let mut values = values.into_iter();
        let write = |domain: &mut Domain| {
            let (id, value) = values.next().expect("one each");
            let shared = if shares(domain) { "/shared" } else { "seen" };
            domain.talker.send(WRITE, id, &format!("{shared}\0{}", value + 1));
            domain.talker.send(WRITE, id, &format!("count\0{}", domain.own + 1));
            domain.talker.send(END, id, "T\0");
        };
        let ends = self.each_with(write, |domain, (), first| {
            first.unwrap();
            domain.talker.reply().unwrap();
            let end = domain.talker.reply();
            domain.own += u64::from(end.is_ok());
            (shares(domain), end)
        });
        self.tally.requests += 2 * u64::from(DOMAINS) + 2;
        // Those that touch nothing of others' have no reason to fail; of those that share, one is the first.
        let commits = |shared: bool| {
            let ends = ends.iter().filter(|(shares, _)| *shares == shared);
            assert!(
                ends.clone().all(|(_, end)| end.is_ok() || shared && *end == Err("EAGAIN".into())),
                "{ends:?}"
            );
            ends.filter(|(_, end)| end.is_ok()).count() as u64
        };
        let after: u64 = self.control.ask(READ, 0, "/shared\0").unwrap().parse().unwrap();
        assert!(
            commits(true) > 0 && after == before + commits(true),
            "updates are lost: {before} to {after}"
        );
        let committed = commits(true) + commits(false);
        self.tally.commits += committed;
        self.tally.conflicts += u64::from(DOMAINS) - committed;
    }

    /// Each makes a tree and removes that of some rounds ago; its own counter is what it committed.
    fn nodes(&mut self) {
        let round = self.tally.rounds;
        for depth in 0..5 {
            let path = format!("tree/{}{}\0value", round % 3, "/x".repeat(depth));
            self.each(|domain| domain.talker.send(WRITE, 0, &path), |_, reply| reply.unwrap());
        }
        let path = format!("tree/{}\0", (round + 1) % 3);
        self.each(|domain| domain.talker.send(RM, 0, &path), |_, reply| reply.unwrap());
        self.each(
            |domain| domain.talker.send(READ, 0, "count\0"),
            |domain, reply| assert_eq!(number::<u64>(reply), domain.own),
        );
    }

    /// Each hears its neighbour's heart, which beats once a round.
    fn watches(&mut self) {
        let round = self.tally.rounds;
        let beat = format!("beat\0{round}");
        self.each(|domain| domain.talker.send(WRITE, 0, &beat), |_, reply| reply.unwrap());
        for domain in &mut self.domains {
            let expected = format!("/local/domain/{}/beat\0neighbour\0", domain.domid % DOMAINS + 1);
            // Events of other rounds' coming and going may be before it.
            while domain.talker.event() != expected {
                self.tally.events += 1;
            }
            self.tally.events += 1;
            assert_eq!(
                domain.talker.ask(READ, 0, expected.split_inclusive('\0').next().unwrap()).unwrap(),
                round.to_string()
            );
        }
        self.tally.requests += u64::from(DOMAINS);
    }

    /// Some break off amid a transaction and come back; some are released, and come back as another domain.
    fn departures(&mut self) {
        for _ in 0..10 {
            let index = self.dice.below(u64::from(DOMAINS)) as usize;
            let domain = &mut self.domains[index];
            let id = domain.talker.start();
            domain.talker.ask(WRITE, id, "count\0lost").unwrap();
            let domid = domain.domid;
            if self.dice.below(2) == 0 {
                domain.talker = self.server.connect_as(domid);
                watch_neighbour(&mut domain.talker, domid);
            } else {
                self.control.ask(RELEASE, 0, &format!("{domid}\0")).unwrap();
                assert!(domain.talker.is_cut_off_after_events());
                let gone = self.control.ask(READ, 0, &format!("{}/count\0", domain.home()));
                assert_eq!(gone, Err("ENOENT".into()), "what it owned went with it");
                self.control.ask(INTRODUCE, 0, &format!("{domid}\x001\x002\0")).unwrap();
                self.domains[index] = move_in(&self.server, &mut self.control, domid);
            }
            self.tally.departures += 1;
        }
    }

    /// Sends a request for each domain, and then takes the replies.
    fn each<T>(
        &mut self,
        mut send: impl FnMut(&mut Domain),
        mut take: impl FnMut(&mut Domain, Reply) -> T,
    ) -> Vec<T> {
        self.each_with(|domain| send(domain), |domain, (), reply| take(domain, reply))
    }

    fn each_with<S, T>(
        &mut self,
        send: impl FnMut(&mut Domain) -> S,
        mut take: impl FnMut(&mut Domain, S, Reply) -> T,
    ) -> Vec<T> {
        self.tally.requests += u64::from(DOMAINS);
        let sent: Vec<S> = self.domains.iter_mut().map(send).collect();
        let domains = self.domains.iter_mut().zip(sent);
        domains
            .map(|(domain, sent)| {
                let reply = domain.talker.reply();
                take(domain, sent, reply)
            })
            .collect()
    }
}

fn number<T: std::str::FromStr>(reply: Reply) -> T {
    let text = reply.unwrap();
    text.trim_end_matches('\0').parse().unwrap_or_else(|_| panic!("no number: {text:?}"))
}

/// A new domain with a home, a counter, and a watch on its neighbour.
fn move_in(server: &Server, control: &mut Talker, domid: u16) -> Domain {
    let home = format!("/local/domain/{domid}");
    for (ty, payload) in [
        (MKDIR, format!("{home}\0")),
        (SET_PERMS, format!("{home}\0n{domid}\0")),
        // The beat may be read by all.
        (WRITE, format!("{home}/beat\0")),
        (SET_PERMS, format!("{home}/beat\0r{domid}\0")),
        (WRITE, format!("{home}/count\x000")),
        (SET_PERMS, format!("{home}/count\0n{domid}\0")),
    ] {
        control.ask(ty, 0, &payload).unwrap();
    }
    let mut talker = server.connect_as(domid);
    watch_neighbour(&mut talker, domid);
    Domain { domid, talker, own: 0 }
}

fn watch_neighbour(talker: &mut Talker, domid: u16) {
    talker.ask(WATCH, 0, &format!("/local/domain/{}/beat\0neighbour\0", domid % DOMAINS + 1)).unwrap();
}

#[test]
fn a_hundred_domains_lose_no_reply_and_leave_no_memory_behind() {
    let seconds = std::env::var("XENSTORED_SOAK_SECONDS").ok();
    let time = seconds.map(|text| Duration::from_secs(text.parse().expect("a number of seconds")));
    let start = Instant::now();
    let mut soak = Soak::new();
    while soak.tally.rounds < WARM {
        soak.round();
    }
    let (warm, mut most) = (soak.server.memory(), 0);
    while time.map_or(soak.tally.rounds < ROUNDS, |time| start.elapsed() < time) {
        soak.round();
        most = most.max(soak.server.memory());
    }
    let files = soak.server.files();
    println!("{:?}", soak.tally);
    println!(
        "{:.0} s; memory {warm} KiB after {WARM} rounds, {most} KiB at most after; {files} files open",
        start.elapsed().as_secs_f64()
    );
    assert!(most <= warm + GROWTH, "memory grew from {warm} KiB to {most} KiB");
    assert!(files < 2 * usize::from(DOMAINS) + 20, "{files} files are open");
}
