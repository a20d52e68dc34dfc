//! The variable `cpus`: on which CPUs a domain's vCPUs may run.

use proto::vcpu::CpuSet;

use super::syntax::Value;
use crate::cpu_list;
use crate::sxp::Sxp;

/// Lists of CPUs as they were written, and what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cpus {
    /// One list for all vCPUs.
    All(String, CpuSet),
    /// A list for each vCPU.
    Each(Vec<(String, CpuSet)>),
}

/// vCPUs that Xen lets an HVM or PVH guest have (`HVM_MAX_VCPUS` of public/hvm/hvm_info_table.h).
const MOST_VCPUS: u32 = 128;

impl Cpus {
    /// Reads a value: a list as text, one CPU as a number, or a list of these for each vCPU. An empty one says nothing.
    ///
    /// # Errors
    /// The text that follows `Error: `.
    pub fn read(value: &Value) -> Result<Option<Cpus>, String> {
        match value {
            Value::List(items) if items.is_empty() => Ok(None),
            Value::List(items) => items.iter().map(one).collect::<Result<_, _>>().map(Cpus::Each).map(Some),
            Value::Text(text) if text.is_empty() => Ok(None),
            _ => one(value).map(|(text, set)| Some(Cpus::All(text, set))),
        }
    }

    /// The CPUs of each of so many vCPUs, or of as many as Xen lets any guest have: the control domain refuses more.
    pub fn sets(&self, vcpus: u32) -> Vec<CpuSet> {
        match self {
            Cpus::All(_, set) => vec![set.clone(); vcpus.min(MOST_VCPUS) as usize],
            Cpus::Each(lists) => lists.iter().map(|(_, set)| set.clone()).collect(),
        }
    }

    /// The form that xm sent to xend.
    pub fn sxp(&self) -> Sxp {
        match self {
            Cpus::All(text, _) => text.as_str().into(),
            Cpus::Each(lists) => Sxp::List(lists.iter().map(|(text, _)| text.as_str().into()).collect()),
        }
    }
}

fn one(value: &Value) -> Result<(String, CpuSet), String> {
    let text = value.text();
    let is_list = matches!(value, Value::Int(_) | Value::Text(_));
    match cpu_list::parse(&text) {
        Ok(set) if is_list && !set.is_empty() => Ok((text, set)),
        _ => Err(format!("cpus = {text}: no list of CPUs, such as 0-3,^1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn one_list_is_for_all_vcpus_and_a_list_of_lists_for_each() {
        let all = Cpus::read(&text("0-3,^1")).unwrap().unwrap();
        assert_eq!(all.sets(2).iter().map(CpuSet::to_string).collect::<Vec<_>>(), ["0,2-3", "0,2-3"]);
        let each = Cpus::read(&Value::List(vec![text("1"), Value::Int(0)])).unwrap().unwrap();
        assert_eq!(each.sets(2).iter().map(CpuSet::to_string).collect::<Vec<_>>(), ["1", "0"]);
        for nothing in [text(""), Value::List(Vec::new())] {
            assert_eq!(Cpus::read(&nothing), Ok(None));
        }
    }

    #[test]
    fn what_is_no_list_of_cpus_is_named() {
        for (value, written) in [
            (text("a"), "a"),
            (text("0,^0"), "0,^0"),
            (Value::Int(-1), "-1"),
            (Value::Float(1.0), "1.0"),
            (Value::List(vec![Value::List(vec![Value::Int(1)])]), "[1]"),
        ] {
            let error = Cpus::read(&value).unwrap_err();
            assert_eq!(error, format!("cpus = {written}: no list of CPUs, such as 0-3,^1"));
        }
    }
}
