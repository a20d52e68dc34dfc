//! S-expressions as xend printed and read them.

mod read;

pub use read::{MOST_BYTES, MOST_DEPTH, ReadError, Why, first, read};

/// A value of an S-expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Sxp {
    /// A word or a text; quoted where it has to be.
    Text(String),
    /// A number, printed in decimal.
    Int(i64),
    /// A number with a fraction, printed with at most twelve significant digits.
    Float(f64),
    /// A list.
    List(Vec<Sxp>),
}

/// The width that output is broken at.
const WIDTH: usize = 80;

impl Sxp {
    /// `(key value)`.
    pub fn pair(key: &str, value: impl Into<Sxp>) -> Sxp {
        Sxp::List(vec![key.into(), value.into()])
    }

    /// The word that a list begins with.
    pub fn head(&self) -> Option<&str> {
        match self.items().first() {
            Some(Sxp::Text(head)) => Some(head),
            _ => None,
        }
    }

    /// A list's items; none of anything else.
    pub fn items(&self) -> &[Sxp] {
        match self {
            Sxp::List(items) => items,
            _ => &[],
        }
    }

    /// The lists in this list that begin with `key`, in order.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Sxp> {
        self.items().iter().filter(move |item| item.head() == Some(key))
    }

    /// What follows `key` in the first list that begins with it: the 5 of `(vm (vcpus 5))`.
    pub fn get(&self, key: &str) -> Option<&Sxp> {
        self.items().iter().find(|item| item.head() == Some(key))?.items().get(1)
    }

    /// What follows `key`, as text, where it is no list.
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.atom()
    }

    /// A word, a text or a number as text.
    pub fn atom(&self) -> Option<String> {
        match self {
            Sxp::Text(text) => Some(text.clone()),
            Sxp::Int(number) => Some(number.to_string()),
            Sxp::Float(number) => Some(float(*number)),
            Sxp::List(_) => None,
        }
    }

    /// Puts `(key value)` in place of the first list that begins with `key`, or at the end. Does nothing to what is no list.
    pub fn set(&mut self, key: &str, value: impl Into<Sxp>) {
        let Sxp::List(items) = self else { return };
        let pair = Sxp::pair(key, value);
        match items.iter_mut().find(|item| item.head() == Some(key)) {
            Some(item) => *item = pair,
            None => items.push(pair),
        }
    }

    /// The form on one line.
    pub fn flat(&self) -> String {
        match self {
            Sxp::Text(text) => atom(text),
            Sxp::Int(number) => number.to_string(),
            Sxp::Float(number) => float(*number),
            Sxp::List(items) => {
                let items: Vec<String> = items.iter().map(Sxp::flat).collect();
                format!("({})", items.join(" "))
            }
        }
    }

    /// The form as lines of at most 80 columns where that is possible, with a newline at the end.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out);
        out.push('\n');
        out
    }

    /// Writes the form that begins at column `indent`.
    fn write(&self, indent: usize, out: &mut String) {
        let flat = self.flat();
        match self {
            Sxp::List(items) if indent + flat.len() > WIDTH && !items.is_empty() => {
                out.push('(');
                for (number, item) in items.iter().enumerate() {
                    if number > 0 {
                        out.push('\n');
                        out.push_str(&" ".repeat(indent + 4));
                    }
                    item.write(if number == 0 { indent + 1 } else { indent + 4 }, out);
                }
                out.push('\n');
                out.push_str(&" ".repeat(indent));
                out.push(')');
            }
            _ => out.push_str(&flat),
        }
    }
}

impl From<&str> for Sxp {
    fn from(text: &str) -> Sxp {
        Sxp::Text(text.into())
    }
}

impl From<String> for Sxp {
    fn from(text: String) -> Sxp {
        Sxp::Text(text)
    }
}

impl From<i64> for Sxp {
    fn from(number: i64) -> Sxp {
        Sxp::Int(number)
    }
}

impl From<f64> for Sxp {
    fn from(number: f64) -> Sxp {
        Sxp::Float(number)
    }
}

impl From<Vec<Sxp>> for Sxp {
    fn from(items: Vec<Sxp>) -> Sxp {
        Sxp::List(items)
    }
}

/// A text, bare where the reader takes it so, else in quotes.
fn atom(text: &str) -> String {
    let is_bare = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:/~".contains(c));
    if is_bare || text == "@" {
        return text.to_owned();
    }
    python_quoted(text)
}

/// A text in quotes, as Python 2 quoted it.
pub fn python_quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            // As bytes, so that every terminal shows it and xend's reader took it.
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    out.push_str(&format!("\\x{byte:02x}"));
                }
            }
        }
    }
    out.push(quote);
    out
}

/// Twelve significant digits at most, at least one after the point.
fn float(number: f64) -> String {
    let whole_digits = format!("{:.0}", number.abs().trunc()).len();
    let text = format!("{:.*}", 12usize.saturating_sub(whole_digits).max(1), number);
    let text = text.trim_end_matches('0');
    if text.ends_with('.') { format!("{text}0") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_only_where_the_reader_needs_it() {
        for (text, printed) in [
            ("guest1", "guest1"),
            ("-b----", "-b----"),
            ("/boot/vmlinuz-6.1", "/boot/vmlinuz-6.1"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", "\"it's\""),
            ("'\"", "'\\'\"'"),
            ("a\nb", "'a\\nb'"),
            ("\u{e9}\x1b", "'\\xc3\\xa9\\x1b'"),
        ] {
            assert_eq!(Sxp::from(text).flat(), printed);
        }
    }

    #[test]
    fn what_a_key_is_followed_by_can_be_read_and_replaced() {
        let mut form = first(b"(vm (name a) (device (vbd)) (device (vif)) (vcpus 2))").unwrap();
        assert_eq!(
            (form.head(), form.text("vcpus").as_deref(), form.text("device")),
            (Some("vm"), Some("2"), None)
        );
        assert_eq!(
            form.all("device").filter_map(|device| device.items()[1].head()).collect::<Vec<_>>(),
            ["vbd", "vif"]
        );
        form.set("name", "b");
        form.set("uuid", 7i64);
        assert_eq!(form.flat(), "(vm (name b) (device (vbd)) (device (vif)) (vcpus 2) (uuid 7))");
    }

    #[test]
    fn floats_print_as_xend_printed_them() {
        for (number, printed) in [
            (3.5, "3.5"),
            (0.0, "0.0"),
            (1234567890.12, "1234567890.12"),
            (7.123456789012345, "7.12345678901"),
        ] {
            assert_eq!(Sxp::from(number).flat(), printed);
        }
    }

    #[test]
    fn a_list_that_does_not_fit_is_broken_after_every_element() {
        let long = Sxp::List(vec![
            "domain".into(),
            Sxp::pair("name", "guest1"),
            Sxp::List(vec![
                "image".into(),
                Sxp::pair(
                    "args",
                    "root=/dev/xvda1 ro ip=dhcp quiet splash".to_owned() + " single console=hvc0 apm",
                ),
            ]),
            Sxp::pair("status", 0i64),
        ]);
        assert_eq!(
            long.pretty(),
            "(domain\n    (name guest1)\n    (image\n        (args 'root=/dev/xvda1 ro ip=dhcp quiet splash single console=hvc0 apm')\n    )\n    (status 0)\n)\n"
        );
        assert_eq!(Sxp::pair("name", "x").pretty(), "(name x)\n");
    }
}
