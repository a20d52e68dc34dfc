//! Random histories. The same seed gives the same history.

use crate::history::{CONTROLS, Step, Who, ty};
use crate::random::Random;

/// The guests of a history.
const GUESTS: u16 = 3;
/// The transactions that one connection may have under way.
const LABELS: u64 = 4;

/// What a history is about: each has some of it only, since whatever is in all of them hides the rest.
struct Themes {
    transactions: bool,
    /// Nothing happens beside a transaction, so that none conflicts.
    alone: bool,
    watches: bool,
    permissions: bool,
    lives: bool,
    /// Percent of arguments that are bad.
    nonsense: u64,
    /// Values and numbers of nodes at the limits.
    limits: bool,
}

struct Generator {
    random: Random,
    themes: Themes,
    /// Who may have a transaction under this label.
    open: Vec<(Who, u8)>,
}

/// The history of this seed: 30 to 90 steps.
pub fn generate(seed: u64) -> Vec<Step> {
    let mut random = Random(seed);
    let themes = Themes {
        transactions: random.chance(60),
        alone: random.chance(50),
        watches: random.chance(60),
        permissions: random.chance(60),
        lives: random.chance(30),
        nonsense: if random.chance(40) { 15 } else { 0 },
        limits: random.chance(30),
    };
    let steps = 30 + random.below(60);
    let mut generator = Generator { random, themes, open: Vec::new() };
    let mut history: Vec<Step> = (1..=GUESTS).map(Step::Boot).collect();
    // A place where everybody may do everything.
    let ask = |ty, payload: &[u8]| Step::Ask { who: CONTROLS[0], label: 0, ty, payload: payload.to_vec() };
    history.push(ask(ty::MKDIR, b"/d\0"));
    history.push(ask(ty::SET_PERMS, b"/d\0b0\0"));
    history.extend((0..steps).map(|_| generator.step()));
    history
}

impl Generator {
    fn who(&mut self) -> Who {
        match self.random.below(10) {
            0 | 1 => CONTROLS[0],
            2 => CONTROLS[1],
            _ => Who::Guest(1 + self.random.below(GUESTS.into()) as u16),
        }
    }

    fn step(&mut self) -> Step {
        let domid = 1 + self.random.below(GUESTS.into()) as u16;
        let is_alone = self.themes.alone && !self.open.is_empty();
        if self.themes.lives && !is_alone && self.random.chance(15) {
            return match self.random.below(6) {
                0 => Step::ShutDown(domid),
                1 => Step::Die(domid),
                2 => Step::Release(domid),
                _ => Step::Boot(domid),
            };
        }
        if self.themes.transactions && !is_alone && self.random.chance(12) {
            let started = (self.who(), 1 + self.random.below(LABELS) as u8);
            self.open.push(started);
            return Step::Start(started.0, started.1);
        }
        if !self.open.is_empty() && self.random.chance(12) {
            let at = self.random.below(self.open.len() as u64) as usize;
            let (who, label) = self.open.swap_remove(at);
            let payload = if self.random.chance(80) { b"T\0" } else { b"F\0" }.to_vec();
            return Step::Ask { who, label, ty: ty::TRANSACTION_END, payload };
        }
        let (who, label) = if is_alone || (!self.open.is_empty() && self.random.chance(50)) {
            *self.random.pick(&self.open)
        } else {
            (self.who(), 0)
        };
        let (ty, payload) = self.request();
        let label = if self.is_bad() { 9 } else { label };
        Step::Ask { who, label, ty, payload }
    }

    fn is_bad(&mut self) -> bool {
        let percent = self.themes.nonsense / 3;
        self.random.chance(percent)
    }

    fn request(&mut self) -> (u32, Vec<u8>) {
        if self.is_bad() {
            return self.odd_request();
        }
        if self.themes.watches && self.random.chance(15) {
            let ty = if self.random.chance(70) { ty::WATCH } else { ty::UNWATCH };
            let payload = [self.watch_path(), self.token()].concat();
            return (ty, payload);
        }
        if self.themes.permissions && self.random.chance(12) {
            let mut payload = self.path();
            payload.extend(self.perms());
            return (ty::SET_PERMS, payload);
        }
        let mut payload = self.path();
        let ty = match self.random.below(100) {
            0..20 => ty::READ,
            20..30 => ty::DIRECTORY,
            30..38 => ty::GET_PERMS,
            38..72 => ty::WRITE,
            72..82 => ty::MKDIR,
            82..96 => ty::RM,
            96..98 => ty::DIRECTORY_PART,
            _ => return self.about_domains(),
        };
        match ty {
            ty::WRITE => payload.extend(self.value()),
            ty::DIRECTORY_PART => payload.extend(b"0\0"),
            _ if self.is_bad() => payload = self.misframed(payload),
            _ => {}
        }
        // More would end the connection.
        payload.truncate(4096);
        (ty, payload)
    }

    fn about_domains(&mut self) -> (u32, Vec<u8>) {
        let ty = *self.random.pick(&[
            ty::GET_DOMAIN_PATH,
            ty::IS_DOMAIN_INTRODUCED,
            ty::RESUME,
            ty::SET_TARGET,
            ty::RESET_WATCHES,
        ]);
        let domid = self.random.below(5);
        let payload = match ty {
            ty::RESET_WATCHES => "\0".to_owned(),
            ty::SET_TARGET => format!("{domid}\0{}\0", self.random.below(5)),
            _ => format!("{domid}\0"),
        };
        (ty, payload.into_bytes())
    }

    /// Requests that hardly anybody sends.
    fn odd_request(&mut self) -> (u32, Vec<u8>) {
        let ty = match self.random.below(4) {
            0 => *self.random.pick(&[15, 16, 20, 23, 24, 25, 26, 27, 99, 65535, u32::MAX]),
            1 => *self.random.pick(&[ty::RELEASE, ty::INTRODUCE, ty::RESUME, ty::SET_TARGET, ty::CONTROL]),
            _ => self.random.below(23) as u32,
        };
        let number = *self.random.pick(&["0", "9", "-1", "x", "", "70000", "1x", "32752", "00001"]);
        let payload = match self.random.below(5) {
            0 => Vec::new(),
            1 => b"\0".to_vec(),
            2 => format!("{number}\0").into_bytes(),
            3 => format!("{number}\0{number}\0").into_bytes(),
            _ => self.path(),
        };
        // The end of a domain is a step of its own, since its connection ends too.
        if ty == ty::RELEASE && payload == b"00001\0" { (ty, b"9\0".to_vec()) } else { (ty, payload) }
    }

    fn misframed(&mut self, mut payload: Vec<u8>) -> Vec<u8> {
        match self.random.below(4) {
            0 => payload.truncate(payload.len() - 1),
            1 => payload.clear(),
            2 => payload.extend(b"extra\0"),
            _ => payload.extend(b"\0"),
        }
        payload
    }

    fn names(&mut self, most: u64) -> String {
        let count = 1 + self.random.below(most);
        let names: Vec<&str> = (0..count).map(|_| *self.random.pick(&["a", "b", "c"])).collect();
        names.join("/")
    }

    fn path(&mut self) -> Vec<u8> {
        let (nonsense, limits) = (self.themes.nonsense, self.themes.limits);
        let mut path = match self.random.below(20) {
            0 => "/d".to_owned(),
            1..13 => format!("/d/{}", self.names(3)),
            13..16 => self.names(2),
            16..18 => {
                let domid = 1 + self.random.below(GUESTS.into());
                format!("/local/domain/{domid}/{}", self.names(2))
            }
            18 => format!("/local/domain/{}", self.random.below(5)),
            _ => (*self.random.pick(&["/", "/local", "/local/domain", "/e", "/tool"])).to_owned(),
        }
        .into_bytes();
        if self.random.chance(nonsense) {
            path = self.bad_path();
        } else if limits && self.random.chance(20) {
            // More names, so that limits on nodes and on directories are met.
            let number = self.random.below(40);
            path = format!("/d/{}/n{number}", self.random.pick(&["a", "b"])).into_bytes();
            if self.random.chance(20) {
                path.extend(vec![b'z'; 200]);
            }
        }
        path.push(0);
        path
    }

    fn bad_path(&mut self) -> Vec<u8> {
        let fixed: &[&[u8]] = &[
            b"",
            b"//",
            b"/d/",
            b"/d//a",
            b"a/",
            b"/d/a.b",
            b"/d/a b",
            b"/d/\xc3\xa4",
            b"/d/\x7f",
            b"/d/@a",
            b"@releaseDomain",
            b"@introduceDomain",
            b"@releaseDomain/1",
            b"@other",
            b"@",
            b"@a//b",
            b"@a.b",
            b"/local/domain/x/a",
            b"/local/domain/1",
            b"/local/domain/00001/a",
        ];
        if self.random.chance(75) {
            return self.random.pick(fixed).to_vec();
        }
        let (prefix, len) = (
            *self.random.pick(&["/", "", "/d/", "/local/domain/1/", "/local/domain/12345/", "@"]),
            *self.random.pick(&[999, 1000, 1001, 1015, 1020, 2047, 2048, 2049, 3000, 3071, 3072, 3073]),
        );
        let mut path = prefix.as_bytes().to_vec();
        path.resize(len, b'p');
        path
    }

    fn watch_path(&mut self) -> Vec<u8> {
        if self.random.chance(20) {
            return self.random.pick(&[&b"@releaseDomain\0"[..], b"@introduceDomain\0"]).to_vec();
        }
        self.path()
    }

    fn token(&mut self) -> Vec<u8> {
        if self.is_bad() {
            return self.random.pick(&[&b""[..], b"\0", b"no nul", b"t\0t\0", b"t\0\x31\0"]).to_vec();
        }
        self.random.pick(&[&b"t\0"[..], b"t\0", b"u\0"]).to_vec()
    }

    fn value(&mut self) -> Vec<u8> {
        if self.themes.limits && self.random.chance(15) {
            let len = *self.random.pick(&[200, 450, 500, 560, 599, 600, 601, 700, 2000, 3900]);
            return vec![b'v'; len];
        }
        self.random.pick(&[&b""[..], b"x", b"y", b"z", b"two\0parts", b"\0", b"\xff\xfe", b"last\0"]).to_vec()
    }

    fn perms(&mut self) -> Vec<u8> {
        let count = 1 + self.random.below(if self.themes.limits { 7 } else { 3 });
        let mut perms = Vec::new();
        for _ in 0..count {
            let letter = *self.random.pick(&["n", "r", "w", "b"]);
            let domid = self.random.below(u64::from(GUESTS) + 1);
            let text = match self.is_bad() {
                false => format!("{letter}{domid}"),
                true => (*self.random.pick(&["x1", "r", "", "r-1", "r70000", "r1x", "b9", "n9", "r 1"]))
                    .to_owned(),
            };
            perms.extend(text.as_bytes());
            perms.push(0);
        }
        if self.is_bad() {
            perms = self.misframed(perms);
        }
        perms
    }
}
