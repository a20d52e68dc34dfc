//! The variable `cpus`: on which CPUs a domain's vCPUs may run.

use proto::vcpu::CpuSet;

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

/// What is no list of CPUs, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCpus(pub String);

impl Cpus {
    /// Reads a value: a list as text, one CPU as a number, or a list of these for each vCPU, where a list of numbers stands for
    /// them too. An empty one says nothing.
    ///
    /// # Errors
    /// [`NotCpus`].
    pub fn read(value: &Sxp) -> Result<Option<Cpus>, NotCpus> {
        match value {
            Sxp::List(items) if items.is_empty() => Ok(None),
            Sxp::List(items) => items.iter().map(each).collect::<Result<_, _>>().map(Cpus::Each).map(Some),
            Sxp::Text(text) if text.is_empty() => Ok(None),
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
}

fn one(value: &Sxp) -> Result<(String, CpuSet), NotCpus> {
    let not = || NotCpus(value.flat());
    let Some(text) = value.atom() else { return Err(not()) };
    match cpu_list::parse(&text) {
        Ok(set) if !matches!(value, Sxp::Float(_)) && !set.is_empty() => Ok((text, set)),
        _ => Err(not()),
    }
}

/// What one vCPU may run on: a list as text, or the numbers that `list --long` prints, of which none mean any.
fn each(value: &Sxp) -> Result<(String, CpuSet), NotCpus> {
    let Sxp::List(numbers) = value else { return one(value) };
    if numbers.is_empty() {
        return Ok((String::new(), CpuSet::default()));
    }
    let numbers: Option<Vec<String>> = numbers.iter().map(Sxp::atom).collect();
    one(&Sxp::Text(numbers.ok_or_else(|| NotCpus(value.flat()))?.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Result<Option<Cpus>, NotCpus> {
        Cpus::read(&crate::sxp::first(source.as_bytes()).unwrap())
    }

    #[test]
    fn one_list_is_for_all_vcpus_and_a_list_of_lists_for_each() {
        for (source, sets) in [
            ("'0-3,^1'", ["0,2-3", "0,2-3"]),
            ("(1 0)", ["1", "0"]),
            ("((0 2) (1))", ["0,2", "1"]),
            ("(() (1 3))", ["", "1,3"]),
        ] {
            let cpus = read(source).unwrap().unwrap();
            assert_eq!(cpus.sets(2).iter().map(CpuSet::to_string).collect::<Vec<_>>(), sets, "{source}");
        }
        for nothing in ["''", "()"] {
            assert_eq!(read(nothing), Ok(None));
        }
    }

    #[test]
    fn what_is_no_list_of_cpus_is_named() {
        for (source, written) in [
            ("a", "a"),
            ("0,^0", "'0,^0'"),
            ("-1", "-1"),
            ("1.0", "1.0"),
            ("(1 (2 (3)))", "(2 (3))"),
            ("(1 '')", "''"),
        ] {
            assert_eq!(read(source), Err(NotCpus(written.into())), "{source}");
        }
    }
}
