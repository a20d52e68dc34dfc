//! The manual page xmdomain.cfg(5), from the table of variables that `--help_config` prints.

use std::fmt::Write as _;

use xmcfg::table::{ALL, Support};

use crate::man::escaped;

/// The page's file.
pub const FILE: &str = "xmdomain.cfg.5";

/// The page, in roff.
pub fn page() -> String {
    let mut roff = String::from(".TH xmdomain.cfg 5\n.SH NAME\nxmdomain.cfg \\- configurations of domains\n");
    let mut section = |heading: &str, paragraphs: &[&str]| {
        let _ = writeln!(roff, ".SH \"{heading}\"");
        let paragraphs: Vec<String> = paragraphs.iter().map(|text| escaped(text)).collect();
        let _ = writeln!(roff, "{}", paragraphs.join("\n.PP\n"));
    };
    section("DESCRIPTION", DESCRIPTION);
    section("ORDER", ORDER);
    section(
        "VARIABLES",
        &[
            "What is marked so is read, checked, kept and printed, and 'xm create' refuses a domain that needs it.",
        ],
    );
    for var in ALL {
        let mark = match var.support {
            Support::Yes => String::new(),
            Support::Later => " Not in this release.".into(),
            Support::Hvm => " For HVM guests; not in this release.".into(),
            Support::No(why) => format!(" Without effect: {why}."),
        };
        let _ = writeln!(
            roff,
            ".TP\n\\fB{}\\fR={}\n{}{mark}",
            escaped(var.name),
            escaped(var.shown),
            escaped(var.help)
        );
    }
    roff.push_str(".SH \"SEE ALSO\"\nhostctl\\-xm\\-create(1), docs/configurations.md\n");
    roff
}

const DESCRIPTION: &[&str] = &[
    "A configuration is a script in Python: what stands in its variables at its end is the domain. 'xm create FILE' makes the \
     domain, 'xm create -n FILE' prints what it would be.",
    "A file that begins with '<' is XML, as 'xm create -x' prints it; one named with -F is SXP, as 'xm create -n' and 'xm \
     list --long' print it.",
];

const ORDER: &[&str] = &[
    "Words NAME=VALUE of the command line win over the file; those that name no variable are texts that the script finds. \
     Texts, whole numbers, floats and lists count; anything else that a script leaves does not.",
    "The file is looked for as it is named, then in the directories of --path. A domain without a name has that of its file.",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_in_the_page_and_none_of_its_text_is_a_request() {
        let page = page();
        for var in ALL {
            assert!(page.contains(&format!(".TP\n\\fB{}\\fR=", var.name)), "{}", var.name);
        }
        let known = [".TH", ".SH", ".TP", ".PP"];
        let requests = page.lines().filter(|line| line.starts_with(['.', '\'']));
        requests.for_each(|line| assert!(known.iter().any(|name| line.starts_with(name)), "{line}"));
    }
}
