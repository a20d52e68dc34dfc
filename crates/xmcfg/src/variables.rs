//! What variables are set to: by the command line first, then by a script, which does not overrule it.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::table::{self, Default, Kind, Var};
use crate::value::{Value, python_int};

/// Variables, set or not.
#[derive(Clone, Debug, std::default::Default, PartialEq)]
pub struct Variables {
    set: BTreeMap<&'static str, Value>,
    /// Set by the command line.
    fixed: BTreeSet<&'static str>,
    /// What the command line sets for the script only.
    script: Vec<(String, String)>,
    /// Names that a script set and no variable has.
    extra: Vec<String>,
}

/// A variable cannot be set to this.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VariableError {
    /// No number.
    #[error("Invalid value: {0}")]
    NoNumber(String),
    /// Neither yes nor no; xm left out the blank here.
    #[error("Invalid value:{0}")]
    NoBool(String),
    /// A list was needed.
    #[error("{name} = {value}: this is no list; write {name} = [ ... ], with a text for each")]
    NoList {
        /// The variable.
        name: &'static str,
        /// As Python writes it.
        value: String,
    },
}

impl Variables {
    /// Sets what the words of the command line say; those that name no variable are for the script.
    ///
    /// # Errors
    /// [`VariableError`].
    pub fn of_words<'a>(
        words: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Variables, VariableError> {
        let mut all = Variables::default();
        for (name, value) in words {
            let (name, value) = (name.trim(), value.trim());
            let Some(var) = table::find(name) else {
                all.script.push((name.into(), value.into()));
                continue;
            };
            let value = match var.kind {
                Kind::Text => Value::Text(value.into()),
                // A mask may have more bits than a number here.
                Kind::Long if value.len() > 18 && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                    Value::Text(value.into())
                }
                Kind::Int | Kind::Long => {
                    Value::Int(python_int(value).ok_or_else(|| VariableError::NoNumber(value.into()))?)
                }
                Kind::Bool => match value {
                    "yes" | "y" => Value::Int(1),
                    "no" | "n" => Value::Int(0),
                    _ => return Err(VariableError::NoBool(value.into())),
                },
                Kind::List => {
                    let mut items = match all.set.remove(var.name) {
                        Some(Value::List(items)) => items,
                        _ => Vec::new(),
                    };
                    items.push(Value::Text(value.into()));
                    Value::List(items)
                }
            };
            all.set.insert(var.name, value);
            all.fixed.insert(var.name);
        }
        Ok(all)
    }

    /// The words of the command line that name no variable: the script finds them under their names, as texts.
    pub fn for_script(&self) -> &[(String, String)] {
        &self.script
    }

    /// Sets what a script has set, in its order.
    pub fn take(&mut self, names: impl IntoIterator<Item = (String, Value)>) {
        for (name, value) in names {
            match table::find(&name) {
                Some(var) if !self.fixed.contains(var.name) => {
                    self.set.insert(var.name, value);
                }
                Some(_) => {}
                None => self.extra.push(name),
            }
        }
    }

    /// Sets a variable, whoever has set it before.
    pub fn replace(&mut self, name: &'static str, value: Value) {
        self.set.insert(name, value);
    }

    /// Whether a script may set this name to some effect.
    pub fn takes(&self, name: &str) -> bool {
        table::find(name).is_some() && !self.fixed.contains(name)
    }

    /// Names that are nearly those of variables, with what may have been meant: of the command line, if the script does not
    /// mention them; and of the script, unless it sets the variable that may have been meant as well.
    pub fn misspelt(&self, source: &str) -> Vec<(&str, &'static str)> {
        let near = |name: &'_ str| table::nearest(name).map(|var| var.name);
        let words = self.script.iter().map(|(name, _)| name.as_str()).filter(|name| !source.contains(name));
        let words = words.filter_map(|name| Some((name, near(name)?)));
        let is_word = |name: &&str| self.script.iter().any(|(word, _)| word == name);
        let names = self.extra.iter().map(String::as_str).filter(|name| !is_word(name));
        let names = names.filter_map(|name| Some((name, near(name)?)));
        words.chain(names.filter(|(_, var)| !self.set.contains_key(var))).collect()
    }

    /// Variables that were set to something else than their default; what is empty or 0 says as little as nothing.
    pub fn changed(&self) -> impl Iterator<Item = &'static Var> + '_ {
        table::ALL.iter().filter(|var| {
            let (value, default) = (self.set.get(var.name), default(var));
            let says = |value: Option<&Value>| value.is_some_and(is_true);
            value.is_some_and(|value| Some(value) != default.as_ref())
                && (says(value) || says(default.as_ref()))
        })
    }

    /// A variable's value, or its default; `None` where it has neither.
    pub fn get(&self, name: &str) -> Option<Value> {
        match self.set.get(name) {
            Some(value) => Some(value.clone()),
            None => default(table::find(name)?),
        }
    }

    /// A variable's value as xm saw it in `if`: `None` also where it is empty or 0.
    pub fn non_empty(&self, name: &str) -> Option<Value> {
        self.get(name).filter(is_true)
    }

    /// A variable as a text; empty where it is not set.
    pub fn text(&self, name: &str) -> String {
        self.get(name).map(|value| value.text()).unwrap_or_default()
    }

    /// The items of a list.
    ///
    /// # Errors
    /// It is set to something else, unless that is empty.
    pub fn list(&self, name: &'static str) -> Result<Vec<Value>, VariableError> {
        match self.non_empty(name) {
            None => Ok(Vec::new()),
            Some(Value::List(items)) => Ok(items),
            Some(value) => Err(VariableError::NoList { name, value: value.repr() }),
        }
    }

    /// The items of a list as texts.
    ///
    /// # Errors
    /// As for [`Variables::list`].
    pub fn texts(&self, name: &'static str) -> Result<Vec<String>, VariableError> {
        Ok(self.list(name)?.iter().map(Value::text).collect())
    }
}

fn default(var: &Var) -> Option<Value> {
    match var.default {
        Default::Nothing => None,
        Default::Number(number) => Some(Value::Int(number)),
        Default::Word(word) => Some(Value::Text(word.into())),
        Default::Empty => Some(Value::List(Vec::new())),
    }
}

/// Python's truth of a value.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Text(text) => !text.is_empty(),
        Value::Int(number) => *number != 0,
        Value::Float(number) => *number != 0.0,
        Value::List(items) => !items.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn words_are_converted_each_as_its_variable_is_and_lists_grow() {
        let all = Variables::of_words([
            ("memory", " 064 "),
            ("vnc", "-1"),
            ("localtime", "yes"),
            ("stdvga", "n"),
            ("disk", "a"),
            ("disk", "b"),
            (" name ", " x "),
            ("vmid", "3"),
            ("vcpu_avail", "340282366920938463463374607431768211455"),
        ])
        .unwrap();
        assert_eq!(all.get("memory"), Some(Value::Int(64)));
        assert_eq!((all.get("vnc"), all.get("localtime")), (Some(Value::Int(-1)), Some(Value::Int(1))));
        assert_eq!(all.texts("disk").unwrap(), ["a", "b"]);
        assert_eq!(all.text("vcpu_avail").len(), 39);
        assert_eq!((all.text("name").as_str(), all.non_empty("stdvga")), ("x", None));
        assert_eq!(all.for_script(), [("vmid".into(), "3".into())]);
        assert_eq!((all.text("dhcp").as_str(), all.get("cpu_weight")), ("off", None));
    }

    #[test]
    fn wrong_words_get_xms_texts() {
        for (word, error) in [
            (("memory", "abc"), "Invalid value: abc"),
            (("memory", ""), "Invalid value: "),
            (("vcpus", "1.5"), "Invalid value: 1.5"),
            (("vcpu_avail", "x"), "Invalid value: x"),
            (("localtime", "1"), "Invalid value:1"),
        ] {
            assert_eq!(Variables::of_words([word]).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn a_script_sets_what_the_command_line_did_not() {
        let mut all = Variables::of_words([("memory", "64"), ("disk", "a")]).unwrap();
        all.take([
            ("memory".into(), Value::Int(1)),
            ("disk".into(), Value::List(vec![text("b")])),
            ("vcpus".into(), text("2")),
        ]);
        assert_eq!((all.get("memory"), all.get("vcpus")), (Some(Value::Int(64)), Some(text("2"))));
        assert_eq!(all.texts("disk").unwrap(), ["a"]);
    }

    #[test]
    fn a_list_that_is_none_is_named_unless_it_is_empty() {
        let mut all = Variables::default();
        all.take([("disk".into(), text("phy:a,b,w")), ("vif".into(), text(""))]);
        assert_eq!(all.list("vif"), Ok(vec![]));
        assert_eq!(
            all.list("disk").unwrap_err().to_string(),
            "disk = 'phy:a,b,w': this is no list; write disk = [ ... ], with a text for each"
        );
    }

    #[test]
    fn names_that_may_be_misspelt_are_told_but_not_helpers_of_a_script() {
        let mut all = Variables::of_words([("krnel", "x"), ("vcpu", "3"), ("kernel", "k")]).unwrap();
        all.take([
            ("krnel".into(), text("x")),
            ("disk".into(), Value::List(vec![])),
            ("disks".into(), Value::Int(1)),
            ("memmory".into(), Value::Int(1)),
            ("arch".into(), Value::Int(1)),
        ]);
        assert_eq!(all.misspelt("vcpus = int(vcpu)"), [("krnel", "kernel"), ("memmory", "memory")]);
    }
}
