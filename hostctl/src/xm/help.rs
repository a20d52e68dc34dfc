//! Help and usage, laid out as xm did.

use crate::xm::table::{COMMANDS, COMMON, Command, HELP_ABOUT, by_name};

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
    for command in COMMANDS.iter().filter(|command| !command.about.is_empty()) {
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
    for (option, about) in command.options {
        let mut lines = wrapped(about, 43).into_iter();
        text.push_str(&format!("  {option:<30} {:<43}\n", lines.next().unwrap_or_default()));
        for line in lines {
            text.push_str(&format!("{:33}{line}\n", ""));
        }
    }
    text.push('\n');
    text
}

fn heading(list: &str) -> String {
    format!(
        "Usage: xm <subcommand> [args]\n\nControl, list, and manipulate Xen guest instances.\n\n{list}\n\n"
    )
}

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
