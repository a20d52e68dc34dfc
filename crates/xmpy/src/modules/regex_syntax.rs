//! Python's regular expressions in the syntax of the `regex` crate, which takes time in proportion to the text whatever
//! the pattern. What that rules out (look-around, back references) is refused.

/// Rewrites a pattern.
///
/// # Errors
/// A construct that is not supported, in words.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut translator =
        Translator { chars: pattern.chars().peekable(), out: String::with_capacity(pattern.len() + 16) };
    translator.pattern()?;
    Ok(translator.out)
}

struct Translator<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    out: String,
}

impl Translator<'_> {
    fn pattern(&mut self) -> Result<(), String> {
        while let Some(c) = self.chars.next() {
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '(' => self.group()?,
                '{' => self.brace(),
                '}' => self.out.push_str("\\}"),
                c => self.out.push(c),
            }
        }
        Ok(())
    }

    /// What a backslash begins, in a class or out of one.
    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let Some(c) = self.chars.next() else { return Err("bogus escape (end of line)".to_owned()) };
        let class = |inner: &str| if in_class { inner.to_owned() } else { format!("[{inner}]") };
        let text = match c {
            // ASCII's, as for Python 2's strings.
            'd' => class("0-9"),
            'w' => class("0-9A-Za-z_"),
            's' => class(" \\t\\n\\r\\x0b\\x0c"),
            'D' => "[^0-9]".to_owned(),
            'W' => "[^0-9A-Za-z_]".to_owned(),
            'S' => "[^ \\t\\n\\r\\x0b\\x0c]".to_owned(),
            'b' if in_class => "\\x08".to_owned(),
            'b' => "(?-u:\\b)".to_owned(),
            'B' => "\\B".to_owned(),
            'A' if !in_class => "\\A".to_owned(),
            'Z' if !in_class => "\\z".to_owned(),
            '0' => "\\x00".to_owned(),
            '1'..='9' if in_class => return Err(format!("bad escape \\{c} in a class")),
            '1'..='9' => return Err(format!("back references (\\{c}) are not supported")),
            'x' => {
                let digits: String =
                    (0..2).filter_map(|_| self.chars.next_if(char::is_ascii_hexdigit)).collect();
                if digits.len() != 2 {
                    return Err("bogus escape: '\\x'".to_owned());
                }
                format!("\\x{digits}")
            }
            'n' | 't' | 'r' | 'f' | 'v' | 'a' => format!("\\{c}"),
            // In Python 2 a letter that means nothing stands for itself.
            c if c.is_ascii_alphanumeric() => c.to_string(),
            c if c.is_ascii_punctuation() => format!("\\{c}"),
            c => c.to_string(),
        };
        self.out.push_str(&text);
        Ok(())
    }

    /// A class: `[`, `&&`, `--` and `~~` in it are plain characters to Python.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.chars.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        // A bracket that comes first does not close.
        if self.chars.next_if_eq(&']').is_some() {
            self.out.push_str("\\]");
        }
        loop {
            match self.chars.next() {
                None => return Err("unexpected end of regular expression".to_owned()),
                Some(']') => break,
                Some('\\') => self.escape(true)?,
                Some(c @ ('[' | '&' | '~')) => self.out.extend(['\\', c]),
                Some('-') if self.chars.peek() == Some(&'-') => self.out.push_str("\\-"),
                Some('-') if self.chars.peek() == Some(&'[') => self.out.push_str("\\-"),
                Some(c) => self.out.push(c),
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if self.chars.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        match self.chars.peek().copied() {
            Some('#') => {
                // A comment: an empty group stands for it.
                for c in self.chars.by_ref() {
                    if c == ')' {
                        self.out.push_str("?:)");
                        return Ok(());
                    }
                }
                return Err("missing ), unterminated comment".to_owned());
            }
            Some('=' | '!') => return Err("look-ahead is not supported".to_owned()),
            Some('<') => return Err("look-behind is not supported".to_owned()),
            Some('(') => return Err("conditional groups are not supported".to_owned()),
            Some('P') => {
                self.chars.next();
                match self.chars.next() {
                    Some('<') => self.out.push_str("?P<"),
                    Some('=') => return Err("back references are not supported".to_owned()),
                    _ => return Err("unknown specifier after (?P".to_owned()),
                }
                return Ok(());
            }
            _ => {}
        }
        self.out.push('?');
        // Flags: those that choose between kinds of strings mean nothing here.
        while let Some(c) = self.chars.next_if(char::is_ascii_alphabetic) {
            match c {
                'i' | 'm' | 's' | 'x' => self.out.push(c),
                'L' | 'u' | 'a' => {}
                _ => return Err(format!("unknown flag {c}")),
            }
        }
        if self.out.ends_with("(?") && self.chars.next_if_eq(&')').is_some() {
            self.out.push_str(":)");
        }
        Ok(())
    }

    /// A repetition, or a brace that stands for itself.
    fn brace(&mut self) {
        let rest: String = self.chars.clone().take_while(|c| *c != '}').take(24).collect();
        let (least, most) = rest.split_once(',').unwrap_or((&rest, "0"));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let closed = self.chars.clone().nth(rest.chars().count()) == Some('}');
        if !closed || rest.is_empty() || !digits(least) || !digits(most) || rest == "," {
            self.out.push_str("\\{");
            return;
        }
        self.out.push('{');
        if rest.starts_with(',') {
            self.out.push('0');
        }
        self.out.push_str(&rest);
        self.out.push('}');
        for _ in 0..=rest.chars().count() {
            self.chars.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn python_patterns_mean_the_same_to_the_regex_crate() {
        for (pattern, text, matched) in [
            (r"^xvd[a-z]\d*$", "xvda1", Some("xvda1")),
            (r"[][x]+", "a]x[b", Some("]x[")),
            (r"[a&&b]+", "a&b", Some("a&b")),
            (r"[\w.-]+@", "me.x-y@z", Some("me.x-y@")),
            (r"a{,2}b", "aaab", Some("aab")),
            (r"x{y}", "x{y}", Some("x{y}")),
            (r"(?P<n>\d+)(?#comment)\Z", "a12", Some("12")),
            (r"(?i)XEN", "linux-xen", Some("xen")),
            (r"\bb", "a b", Some("b")),
            (r"\/dev\/(\w+)", "/dev/sda", Some("/dev/sda")),
            (r"[^\d\s]+", "12 ab", Some("ab")),
        ] {
            let regex = regex::Regex::new(&translate(pattern).expect("translated")).expect(pattern);
            assert_eq!(regex.find(text).map(|found| found.as_str()), matched, "{pattern}");
        }
    }

    #[test]
    fn what_takes_more_than_linear_time_is_refused() {
        for pattern in [r"(a)\1", r"(?=a)", r"(?<!a)b", r"(?P<a>x)(?P=a)", r"(?(1)a|b)"] {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }
}
