//! Manual pages, one a command, from the definition that `--help` comes from, and that of configurations.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::config::page;

/// Writes the pages of a command and of all below it, and of what its files are.
///
/// # Errors
/// Whatever writing gives.
pub fn write(command: Command, dir: &Path) -> io::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    std::fs::write(dir.join(page::FILE), page::page())?;
    write_tree(&command, dir)
}

fn write_tree(command: &Command, dir: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_tree(below, dir)?;
    }
    let man = Man::new(command.clone());
    std::fs::write(dir.join(man.get_filename()), page(command, &man)?)
}

fn page(command: &Command, man: &Man) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    if command.get_arguments().any(|arg| !arg.is_hide_set()) {
        man.render_options_section(&mut out)?;
    }
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut out)?;
    }
    if let Some(notes) = command.get_after_help() {
        out.extend(sections(&notes.to_string()).into_bytes());
    }
    Ok(out)
}

/// The text behind a command's help as sections. clap_mangen would fill its tables into paragraphs.
fn sections(text: &str) -> String {
    let mut roff = String::from(".SH NOTES\n");
    for line in text.lines() {
        match line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            Some(heading) => {
                // A section without a line has no heading.
                let begun = roff.strip_suffix(".SH NOTES\n").map(str::len);
                roff.truncate(begun.unwrap_or(roff.len()));
                let _ = writeln!(roff, ".SH \"{}\"", heading.to_uppercase());
            }
            None if line.starts_with(' ') => {
                let _ = writeln!(roff, ".nf\n{}\n.fi", escaped(line));
            }
            None if line.is_empty() => roff.push_str(".PP\n"),
            None => {
                let _ = writeln!(roff, "{}", escaped(line));
            }
        }
    }
    roff
}

/// Keeps roff from obeying a text.
pub(crate) fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    // A period at a line's beginning would be a request.
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keep_their_lines_and_headings_become_sections() {
        assert_eq!(
            sections("Exit codes:\n  0  well\n  1  no-good\n\n.see it's \\"),
            ".SH \"EXIT CODES\"\n.nf\n  0  well\n.fi\n.nf\n  1  no\\-good\n.fi\n.PP\n\\&.see it\\(aqs \\e\n"
        );
        assert_eq!(sections("Words."), ".SH NOTES\nWords.\n");
    }
}
