//! Checks a tree against `docs/create.dtd`, which is read as it stands there: what is documented is what is checked.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::Element;

const SOURCE: &str = include_str!("../../../../docs/create.dtd");

/// What may be in an element.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Empty,
    Text,
    /// Elements in this order.
    Children(Vec<Part>),
}

/// A part of what is in an element.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// One of these.
    names: Vec<String>,
    /// Any number of times.
    is_many: bool,
}

/// What an attribute may be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Values {
    Any,
    Id,
    IdRef,
    OneOf(Vec<String>),
}

#[derive(Debug, Default)]
struct Dtd {
    elements: BTreeMap<String, Content>,
    /// By element and name; whether it has to be there.
    attributes: BTreeMap<String, BTreeMap<String, (Values, bool)>>,
}

/// Checks a whole tree.
///
/// # Errors
/// The first thing that is not as the file says, in words.
pub(super) fn check(root: &Element) -> Result<(), String> {
    let dtd = read(SOURCE).ok_or("docs/create.dtd was not understood when this program was built")?;
    if root.name != "xm" {
        return Err(format!("the root is <{}>, not <xm>", root.name));
    }
    let (mut ids, mut references) = (BTreeSet::new(), Vec::new());
    dtd.check(root, &mut ids, &mut references)?;
    match references.into_iter().find(|name| !ids.contains(name)) {
        Some(name) => Err(format!("nothing has the name '{name}'")),
        None => Ok(()),
    }
}

impl Dtd {
    fn check<'a>(
        &self,
        element: &'a Element,
        ids: &mut BTreeSet<&'a str>,
        references: &mut Vec<&'a str>,
    ) -> Result<(), String> {
        let name = &element.name;
        let content = self.elements.get(name).ok_or_else(|| format!("there is no element <{name}>"))?;
        check_content(element, content)?;
        let known = self.attributes.get(name);
        for (key, value) in &element.attributes {
            let Some((values, _)) = known.and_then(|known| known.get(key)) else {
                return Err(format!("<{name}> has no attribute '{key}'"));
            };
            match values {
                Values::Any => {}
                Values::Id if ids.insert(value) => {}
                Values::Id => return Err(format!("the name '{value}' is given twice")),
                Values::IdRef => references.push(value),
                Values::OneOf(words) if words.contains(value) => {}
                Values::OneOf(words) => {
                    return Err(format!("'{key}' of <{name}> is '{value}', not one of {}", words.join(", ")));
                }
            }
        }
        for (key, (_, is_required)) in known.into_iter().flatten() {
            if *is_required && !element.attributes.iter().any(|(given, _)| given == key) {
                return Err(format!("<{name}> has no attribute '{key}'; it needs one"));
            }
        }
        element.children.iter().try_for_each(|child| self.check(child, ids, references))
    }
}

fn check_content(element: &Element, content: &Content) -> Result<(), String> {
    let name = &element.name;
    let parts = match content {
        Content::Text if element.children.is_empty() => return Ok(()),
        Content::Text => return Err(format!("<{name}> has text in it, no elements")),
        Content::Empty => &[][..],
        Content::Children(parts) => parts,
    };
    if !element.text.trim().is_empty() {
        return Err(format!(
            "<{name}> has text in it: '{}'",
            element.text.trim().chars().take(40).collect::<String>()
        ));
    }
    // No name is in two parts, so each part takes all that it can.
    let mut rest = element.children.as_slice();
    for part in parts {
        let fits = |child: &&Element| part.names.contains(&child.name);
        let count = rest.iter().take_while(fits).count();
        let taken = if part.is_many { count } else { count.min(1) };
        if taken == 0 && !part.is_many {
            return Err(format!("<{name}> lacks <{}> in its place", part.names.join("> or <")));
        }
        rest = &rest[taken..];
    }
    match rest.first() {
        Some(child) => Err(format!("<{}> has no place where it is in <{name}>", child.name)),
        None => Ok(()),
    }
}

fn read(source: &str) -> Option<Dtd> {
    let mut dtd = Dtd::default();
    let mut rest = source.trim_start();
    while !rest.is_empty() {
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->")?.1.trim_start();
            continue;
        }
        let (declaration, after) = rest.strip_prefix("<!")?.split_once('>')?;
        rest = after.trim_start();
        let mut words = words(declaration).into_iter();
        match words.next()?.as_str() {
            "ELEMENT" => {
                dtd.elements.insert(words.next()?, content(&words.collect::<Vec<_>>())?);
            }
            "ATTLIST" => {
                let attributes = dtd.attributes.entry(words.next()?).or_default();
                while let Some(name) = words.next() {
                    let values = match words.next()?.as_str() {
                        "CDATA" => Values::Any,
                        "ID" => Values::Id,
                        "IDREF" => Values::IdRef,
                        "(" => Values::OneOf(
                            words
                                .by_ref()
                                .take_while(|word| word != ")")
                                .filter(|word| word != "|")
                                .collect(),
                        ),
                        _ => return None,
                    };
                    attributes.insert(name, (values, words.next()? == "#REQUIRED"));
                }
            }
            _ => return None,
        }
    }
    Some(dtd)
}

/// Words and signs.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in text.chars() {
        if "()|,*".contains(c) {
            words.extend([c.to_string(), String::new()]);
        } else if c.is_whitespace() {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// `EMPTY`, `( #PCDATA )`, or `( part , part )` where a part is a name or `( name | name )`, with or without a star.
fn content(words: &[String]) -> Option<Content> {
    match words {
        [word] if word == "EMPTY" => Some(Content::Empty),
        [_, word, _] if word == "#PCDATA" => Some(Content::Text),
        [open, inner @ .., close] if open == "(" && close == ")" => {
            let mut parts: Vec<Part> = Vec::new();
            let mut in_choice = false;
            for word in inner {
                match word.as_str() {
                    "," | "|" => {}
                    "(" => {
                        in_choice = true;
                        parts.push(Part { names: Vec::new(), is_many: false });
                    }
                    ")" => in_choice = false,
                    "*" => parts.last_mut()?.is_many = true,
                    name if in_choice => parts.last_mut()?.names.push(name.into()),
                    name => parts.push(Part { names: vec![name.into()], is_many: false }),
                }
            }
            Some(Content::Children(parts))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::tree::parse;

    fn said(source: &str) -> String {
        check(&parse(source.as_bytes()).unwrap()).err().unwrap_or_default()
    }

    #[test]
    fn the_file_is_understood_whole() {
        let dtd = read(SOURCE).unwrap();
        assert_eq!((dtd.elements.len(), dtd.attributes.len()), (23, 18));
        assert_eq!(dtd.elements["description"], Content::Text);
        let Content::Children(vm) = &dtd.elements["vm"] else { panic!("{:?}", dtd.elements["vm"]) };
        assert_eq!((vm.len(), vm[2].names.join(" "), vm[4].is_many), (13, "pv hvm".into(), true));
        let named = dtd.attributes.keys().chain(vm.iter().flat_map(|part| &part.names));
        named.for_each(|name| assert!(dtd.elements.contains_key(name), "{name}"));
    }

    #[test]
    fn what_is_not_as_the_file_says_is_named() {
        let network = "<network name='a' default_gateway='' default_netmask=''>";
        let name = "<name><label>x</label><description/></name>";
        for (source, text) in [
            ("<xm/>".to_owned(), ""),
            (format!("<xm>{network}{name}</network></xm>"), ""),
            ("<vm/>".into(), "the root is <vm>, not <xm>"),
            ("<xm><zap/></xm>".into(), "<zap> has no place where it is in <xm>"),
            ("<xm>hello</xm>".into(), "<xm> has text in it: 'hello'"),
            ("<xm a='1'/>".into(), "<xm> has no attribute 'a'"),
            (format!("<xm>{network}</network></xm>"), "<network> lacks <name> in its place"),
            (
                format!("<xm>{network}{name}{name}</network></xm>"),
                "<name> has no place where it is in <network>",
            ),
            (
                format!("<xm><network name='a'>{name}</network></xm>"),
                "<network> has no attribute 'default_gateway'; it needs one",
            ),
            (
                format!("<xm>{network}{name}</network>{network}{name}</network></xm>"),
                "the name 'a' is given twice",
            ),
            (
                format!(
                    "<xm><vdi name='v' src='' type='x' size='' sharable='' read_only=''>{name}</vdi></xm>"
                ),
                "'type' of <vdi> is 'x', not one of system, user, ephemeral, suspend, crashdump",
            ),
        ] {
            assert_eq!(said(&source), text, "{source}");
        }
    }
}
