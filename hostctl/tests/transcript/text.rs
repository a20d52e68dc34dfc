//! The form of a transcript, read and written.

/// A piece of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `# ...`: for people.
    Comment(String),
    /// `> ...`: something happens to the machine.
    Order(String),
    /// `$ ...`: something is typed, and this comes of it.
    Command { line: String, ran: Ran },
}

/// What comes of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// What a line of output may not begin with, unless `\` stands before it.
const MARKS: [char; 6] = ['#', '>', '$', '!', '?', '\\'];
/// The output before this does not end with a newline.
const UNENDED: &str = "\\";

/// Reads a transcript.
pub fn parse(text: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(order) = line.strip_prefix("> ") {
            items.push(Item::Order(order.to_owned()));
        } else if line.starts_with('#') {
            items.push(Item::Comment(line.to_owned()));
        } else if let Some(command) = line.strip_prefix("$ ") {
            let mut block = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with(['#', '>', '$'])) {
                block.push(line);
            }
            // It sets off what follows.
            block.pop_if(|line| line.is_empty());
            items.push(Item::Command { line: command.to_owned(), ran: output(&block) });
        } else {
            assert!(line.is_empty(), "neither '# ', '> ' nor '$ ': {line}");
        }
    }
    items
}

fn output(block: &[&str]) -> Ran {
    let mut ran = Ran::default();
    for line in block {
        if *line == UNENDED {
            assert_eq!(ran.stdout.pop(), Some('\n'));
        } else if let Some(said) = line.strip_prefix('!') {
            ran.stderr.push_str(said.strip_prefix(' ').unwrap_or(said));
            ran.stderr.push('\n');
        } else if let Some(code) = line.strip_prefix("? ") {
            ran.code = code.parse().expect("an exit code");
        } else {
            ran.stdout.push_str(line.strip_prefix('\\').unwrap_or(line));
            ran.stdout.push('\n');
        }
    }
    ran
}

/// Writes a transcript.
pub fn write(items: &[Item]) -> String {
    let mut text = String::new();
    for (place, item) in items.iter().enumerate() {
        match item {
            Item::Comment(line) => {
                text.push_str(line);
                text.push('\n');
            }
            Item::Order(order) => text.push_str(&format!("> {order}\n")),
            Item::Command { line, ran } => {
                text.push_str(&format!("$ {line}\n"));
                write_output(ran, &mut text);
                if place + 1 < items.len() {
                    text.push('\n');
                }
            }
        }
    }
    text
}

fn write_output(ran: &Ran, text: &mut String) {
    for line in ran.stdout.lines() {
        if line.starts_with(MARKS) {
            text.push('\\');
        }
        text.push_str(line);
        text.push('\n');
    }
    if !ran.stdout.is_empty() && !ran.stdout.ends_with('\n') {
        text.push_str(UNENDED);
        text.push('\n');
    }
    for line in ran.stderr.lines() {
        text.push_str(format!("! {line}").trim_end());
        text.push('\n');
    }
    if ran.code != 0 {
        text.push_str(&format!("? {}\n", ran.code));
    }
}

/// Is this what was to come? In what was to come, `[..]` stands for anything within a line.
pub fn matches(wanted: &Ran, came: &Ran) -> bool {
    // A line of stderr has no blanks at its end in a transcript.
    let stderr: String = came.stderr.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    wanted.code == came.code && fits(&wanted.stdout, &came.stdout) && fits(&wanted.stderr, &stderr)
}

fn fits(wanted: &str, came: &str) -> bool {
    let (wanted, came): (Vec<&str>, Vec<&str>) = (wanted.split('\n').collect(), came.split('\n').collect());
    wanted.len() == came.len() && wanted.iter().zip(&came).all(|(wanted, came)| line_fits(wanted, came))
}

/// Is this line what was to come?
pub fn line_fits(wanted: &str, came: &str) -> bool {
    let mut parts = wanted.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| came.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let at = if parts.peek().is_none() { rest.strip_suffix(part).map(str::len) } else { rest.find(part) };
        let Some(at) = at else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// What the form itself promises.
pub fn check() {
    for (wanted, came, is_so) in [
        ("a [..] c", "a b c", true),
        ("a [..] c", "a b d", false),
        ("[..]", "anything", true),
        ("a[..]b[..]c", "a1b2c", true),
        ("a[..]b[..]c", "a1c", false),
        ("plain", "plain", true),
        ("plain", "plainer", false),
    ] {
        assert_eq!(line_fits(wanted, came), is_so, "{wanted} {came}");
    }
    let ran = Ran { code: 3, stdout: "# one\n\n$ two\\\n\n".into(), stderr: "! said\n\n".into() };
    for stdout in [ran.stdout.clone(), "no end".into(), String::new(), "\n".into()] {
        let command = Item::Command { line: "xm list".into(), ran: Ran { stdout, ..ran.clone() } };
        let items = [Item::Comment("# c".into()), Item::Order("o".into()), command.clone(), command];
        assert_eq!(parse(&write(&items)), items);
    }
}
