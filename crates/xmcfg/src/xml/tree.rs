//! XML as a tree: read within bounds, and printed with its attributes sorted and two blanks a level.

use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::XmlError;

/// Bytes of a file, at most.
pub const MOST_BYTES: usize = 1 << 20;
/// Elements within elements, at most; the form has five.
const MOST_DEPTH: usize = 32;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Names and values.
    pub attributes: Vec<(String, String)>,
    /// The elements in it.
    pub children: Vec<Element>,
    /// The text in it.
    pub text: String,
}

impl Element {
    /// An element with attributes.
    pub fn new<V: Into<String>>(
        name: &str,
        attributes: impl IntoIterator<Item = (&'static str, V)>,
    ) -> Element {
        let attributes = attributes.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        Element { name: name.into(), attributes, ..Element::default() }
    }

    /// The same with a text in it.
    pub fn with_text(mut self, text: &str) -> Element {
        self.text = text.into();
        self
    }

    /// The same with elements in it.
    pub fn with(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.children.extend(children);
        self
    }

    /// An attribute; empty where it is not there.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The elements of this name in it.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first of them.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Prints it, a line for each element.
    pub fn print(&self) -> String {
        let mut out = String::from("<?xml version='1.0' encoding='UTF-8'?>\n");
        self.write(0, &mut out);
        out
    }

    fn write(&self, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        let mut attributes: Vec<String> = self
            .attributes
            .iter()
            .map(|(key, value)| format!(" {key}=\"{}\"", escape(value.as_str())))
            .collect();
        attributes.sort();
        out.push_str(&format!("{indent}<{}{}", self.name, attributes.concat()));
        if !self.children.is_empty() {
            out.push_str(">\n");
            self.children.iter().for_each(|child| child.write(depth + 1, out));
            out.push_str(&format!("{indent}</{}>\n", self.name));
        } else if !self.text.is_empty() {
            out.push_str(&format!(">{}</{}>\n", escape(self.text.as_str()), self.name));
        } else {
            out.push_str("/>\n");
        }
    }
}

/// Reads a file. Entities are those that XML itself has: a file cannot define its own, nor name other files.
///
/// # Errors
/// It is too long, too deep, or not well-formed.
pub(super) fn parse(source: &[u8]) -> Result<Element, XmlError> {
    if source.len() > MOST_BYTES {
        return Err(XmlError::TooLong);
    }
    let line_of =
        |at: usize| 1 + source[..at.min(source.len())].iter().filter(|byte| **byte == b'\n').count();
    let text = std::str::from_utf8(source).map_err(|error| XmlError::NotWellFormed {
        line: line_of(error.valid_up_to()),
        why: "the text is not UTF-8".into(),
    })?;
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let event = reader.read_event();
        let wrong =
            |why: String| XmlError::NotWellFormed { line: line_of(reader.error_position() as usize), why };
        match event.map_err(|error| wrong(error.to_string()))? {
            Event::Start(_) if root.is_some() => return Err(wrong("there is a second root".into())),
            Event::Start(_) if open.len() >= MOST_DEPTH => {
                return Err(wrong(format!("elements are more than {MOST_DEPTH} deep")));
            }
            Event::Start(start) => open.push(element(&start).map_err(wrong)?),
            Event::End(_) => {
                let Some(element) = open.pop() else { continue };
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => root = Some(element),
                }
            }
            Event::Text(text) => {
                let text = text.xml_content(XmlVersion::Implicit1_0);
                match open.last_mut() {
                    Some(element) => element.text.push_str(&text),
                    None if text.trim().is_empty() => {}
                    None => return Err(wrong("there is text outside of the root".into())),
                }
            }
            Event::CData(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text.xml_content(XmlVersion::Implicit1_0));
                }
            }
            Event::GeneralRef(name) => {
                let content = name.xml_content(XmlVersion::Implicit1_0);
                let known =
                    quick_xml::escape::unescape(&format!("&{content};")).map(|text| text.into_owned());
                let known = known.map_err(|_| wrong(format!("there is no entity '{content}'")))?;
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&known);
                }
            }
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    let end = XmlError::NotWellFormed { line: line_of(source.len()), why: "the text ends too early".into() };
    root.filter(|_| open.is_empty()).ok_or(end)
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let name = start.name();
    let mut element = Element { name: String::from(name.as_ref()), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        element.attributes.push((String::from(attribute.key.as_ref()), value.into_owned()));
    }
    Ok(element)
}
