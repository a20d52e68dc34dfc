//! Help and usage, laid out as xm did.

use crate::xm::table::{COMMON, Command, HELP_ABOUT, by_name, commands};

/// What `xm` alone prints: the common commands.
pub fn short() -> String {
    let mut text = heading("Common 'xm' commands:");
    for name in COMMON {
        let about = by_name(name).map_or(HELP_ABOUT, |command| command.about);
        text.push_str(&entry(name, about));
    }
    text.push_str(FOOT);
    text.push_str("For a complete list of subcommands run 'xm help'.\n");
    text
}

/// What `xm help` prints: all commands.
pub fn long() -> String {
    let mut text = heading("xm full list of subcommands:");
    for command in commands().filter(|command| !command.about.is_empty()) {
        text.push_str(&entry(command.name, command.about));
        if command.name == "dump-core" {
            text.push_str(&entry("help", HELP_ABOUT));
        }
    }
    text.push_str(FOOT);
    text
}

/// How one command is used.
pub fn usage(command: &Command) -> String {
    let mut text = format!("Usage: xm {} {}\n\n{}\n", command.name, command.synopsis, command.about);
    if command.name == "create" {
        // xm's create had a parser of its own, and laid its options out in its own way.
        text.push_str("\nOptions:\n\n");
        columns(command, "", 21, 55, &mut text);
    } else {
        columns(command, "  ", 30, 43, &mut text);
    }
    text.push('\n');
    text
}

/// What `--help` prints: the usage with an example, where there is one.
pub fn explained(command: &Command) -> String {
    format!("{}{}", usage(command), example(command))
}

/// An example under a heading; empty where there is none.
pub fn example(command: &Command) -> String {
    let Some(notes) = command.notes() else { return String::new() };
    let (line, about) = notes.example;
    format!("Example:\n  {line}\n      {about}\n")
}

/// The options and what they do, in two columns.
fn columns(command: &Command, indent: &str, left: usize, right: usize, text: &mut String) {
    let gap = if indent.is_empty() { "" } else { " " };
    for (option, about) in command.options {
        let mut lines = wrapped(about, right).into_iter();
        let first = lines.next().unwrap_or_default();
        // A name that fills its column has its text on the next line.
        if option.len() >= left + gap.len() {
            text.push_str(&format!("{indent}{option}\n{indent}{:left$}{gap}{first:<right$}\n", ""));
        } else {
            text.push_str(&format!("{indent}{option:<left$}{gap}{first:<right$}\n"));
        }
        for line in lines {
            text.push_str(&format!("{indent}{:left$}{gap}{line}\n", ""));
        }
    }
}

fn heading(list: &str) -> String {
    format!(
        "Usage: xm <subcommand> [args]\n\nControl, list, and manipulate Xen guest instances.\n\n{list}\n\n"
    )
}

/// What `Domain` stands for, in manual pages.
pub const NOTE: &str = "A domain is meant by its name, its id or its uuid. 'xm help' lists also the commands that are not in this release.";

const FOOT: &str = "
<Domain> can either be the Domain Name or Id.
For more help on 'xm' see the xm(1) man page.
For more help on 'xm create' see the xmdomain.cfg(5)  man page.
";

fn entry(name: &str, about: &str) -> String {
    let mut lines = wrapped(about, 50).into_iter();
    let mut text = format!(" {name:<20} {:<50}\n", lines.next().unwrap_or_default());
    for line in lines {
        text.push_str(&format!("{:22}{line}\n", ""));
    }
    text
}

/// Breaks a text between words into lines of at most `width` columns.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_help_has_xms_frame_and_order() {
        let text = short();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..7],
            [
                "Usage: xm <subcommand> [args]",
                "",
                "Control, list, and manipulate Xen guest instances.",
                "",
                "Common 'xm' commands:",
                "",
                " console              Attach to <Domain>'s console. Ctrl-] detaches.    ",
            ]
        );
        assert!(text.ends_with(
            "\n\n<Domain> can either be the Domain Name or Id.\n\
             For more help on 'xm' see the xm(1) man page.\n\
             For more help on 'xm create' see the xmdomain.cfg(5)  man page.\n\
             For a complete list of subcommands run 'xm help'.\n"
        ));
    }

    #[test]
    fn long_descriptions_continue_in_column_22() {
        let text = entry("uptime", by_name("uptime").unwrap().about);
        assert_eq!(
            text,
            " uptime               Print how long domains have been running: all of  \n                      them, or those named.\n"
        );
    }

    #[test]
    fn the_long_help_lists_everything_with_a_description_and_no_last_line() {
        let text = long();
        assert!(text.contains("xm full list of subcommands:\n\n console "));
        assert!(text.contains("\n cpupool-migrate "));
        assert!(!text.contains("event-monitor"));
        assert!(text.ends_with("xmdomain.cfg(5)  man page.\n"));
    }

    #[test]
    fn creates_usage_has_its_own_columns() {
        let text = usage(by_name("create").unwrap());
        let head = "Usage: xm create <ConfigFile> [options] [vars]\n\n\
                    Create a domain from <ConfigFile> and start it.\n\nOptions:\n\n-h, --help           Print this help.";
        assert!(text.starts_with(head), "{text}");
        assert!(text.contains("\n-f FILE, --defconfig=FILE\n                     Use this file."), "{text}");
    }

    #[test]
    fn usage_shows_options_in_two_columns() {
        let text = usage(by_name("uptime").unwrap());
        assert_eq!(
            text,
            "Usage: xm uptime [-s] [Domain, ...]\n\n\
             Print how long domains have been running: all of them, or those named.\n\
             \x20 -s, --short                    Print it as uptime(1) does.                \n\
             \x20 --json                         Print JSON, for programs.                  \n\n"
        );
    }
}
