//! Options as xm took them: single letters, long names and their unique beginnings, anywhere among the words.

/// Which options a command has.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Letters; `true` where a value follows.
    pub short: &'static [(char, bool)],
    /// Long names; `true` where a value follows.
    pub long: &'static [(&'static str, bool)],
}

/// A command line, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Options in order: name without dashes, value.
    pub options: Vec<(String, Option<String>)>,
    /// The other words in order.
    pub words: Vec<String>,
}

impl Parsed {
    /// Was one of these options given?
    pub fn has(&self, names: &[&str]) -> bool {
        self.options.iter().any(|(name, _)| names.contains(&name.as_str()))
    }

    /// The last value that was given to one of these options.
    pub fn value(&self, names: &[&str]) -> Option<&str> {
        self.options.iter().rev().find(|(name, _)| names.contains(&name.as_str()))?.1.as_deref()
    }
}

/// Takes `args` apart; the error is the text that follows `Error: `.
///
/// # Errors
/// An unknown option, a missing or an unwanted value, a beginning that fits several names.
pub fn parse(args: &[String], spec: Spec) -> Result<Parsed, String> {
    let mut parsed = Parsed::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            parsed.words.extend(rest.cloned());
            break;
        } else if let Some(long) = arg.strip_prefix("--") {
            let (given, mut value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let (name, takes_value) = find_long(given, spec)?;
            if takes_value && value.is_none() {
                value = Some(rest.next().ok_or(format!("option --{name} requires argument"))?.clone());
            } else if !takes_value && value.is_some() {
                return Err(format!("option --{name} must not have an argument"));
            }
            parsed.options.push((name.into(), value));
        } else if arg.len() > 1 && arg.starts_with('-') {
            short_cluster(&arg[1..], &mut rest, spec, &mut parsed)?;
        } else {
            parsed.words.push(arg.clone());
        }
    }
    Ok(parsed)
}

fn find_long(given: &str, spec: Spec) -> Result<(&'static str, bool), String> {
    if let Some(&exact) = spec.long.iter().find(|(name, _)| *name == given) {
        return Ok(exact);
    }
    let mut fitting = spec.long.iter().filter(|(name, _)| name.starts_with(given));
    match (fitting.next(), fitting.next()) {
        (Some(&one), None) => Ok(one),
        (None, _) => Err(format!("option --{given} not recognized")),
        (Some(_), Some(_)) => Err(format!("option --{given} not a unique prefix")),
    }
}

fn short_cluster<'a>(
    letters: &str,
    rest: &mut impl Iterator<Item = &'a String>,
    spec: Spec,
    parsed: &mut Parsed,
) -> Result<(), String> {
    let mut tail = letters.chars();
    while let Some(letter) = tail.next() {
        let found = spec.short.iter().find(|(name, _)| *name == letter);
        let &(_, takes_value) = found.ok_or(format!("option -{letter} not recognized"))?;
        if !takes_value {
            parsed.options.push((letter.into(), None));
            continue;
        }
        let value = match tail.as_str() {
            "" => rest.next().ok_or(format!("option -{letter} requires argument"))?.clone(),
            joined => joined.to_owned(),
        };
        parsed.options.push((letter.into(), Some(value)));
        break;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec {
        short: &[('l', false), ('p', true), ('q', false)],
        long: &[("long", false), ("label", false), ("period", true)],
    };

    fn parsed(line: &str) -> Result<Parsed, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>(), SPEC)
    }

    #[test]
    fn options_stand_anywhere_and_in_every_form() {
        let all = parsed("dom -lq -p5 --per=6 other -p 7 --lo -- -x").unwrap();
        let options: Vec<_> = all.options.iter().map(|(n, v)| (n.as_str(), v.as_deref())).collect();
        assert_eq!(
            options,
            [
                ("l", None),
                ("q", None),
                ("p", Some("5")),
                ("period", Some("6")),
                ("p", Some("7")),
                ("long", None)
            ]
        );
        assert_eq!(all.words, ["dom", "other", "-x"]);
        assert_eq!(all.value(&["p", "period"]), Some("7"));
        assert!(all.has(&["l"]) && !all.has(&["label"]));
    }

    #[test]
    fn mistakes_are_named_as_xm_named_them() {
        for (line, text) in [
            ("-Q", "option -Q not recognized"),
            ("-p", "option -p requires argument"),
            ("--period", "option --period requires argument"),
            ("--zap", "option --zap not recognized"),
            ("--l", "option --l not a unique prefix"),
            ("--long=3", "option --long must not have an argument"),
        ] {
            assert_eq!(parsed(line), Err(text.to_owned()), "{line}");
        }
    }
}
