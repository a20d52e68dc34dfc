//! The screen: a summary, a table as far as it fits, and a line of keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::app::App;
use super::columns::{COLUMNS, cells, titles};
use super::look::Look;
use super::text::{details, summary};

/// Draws all of it.
pub(super) fn draw(app: &mut App, frame: &mut Frame<'_>) {
    let area = frame.area();
    // The widths belong to what is shown, so they are found before.
    let mut widths = app.widths.clone();
    if let Some(look) = app.look() {
        widths.fit(&look.rows, app.settings.full_name);
    }
    app.widths = widths;
    app.first_column = app.first_column.min(last_first_column(app, usize::from(area.width)));
    if let Some(look) = app.look() {
        app.first_row = app.first_row.min(look.rows.len().saturating_sub(1));
    }
    let Some(look) = app.look() else {
        put(frame, 0, Line::raw("waiting for the control domain ..."));
        return put(frame, area.height.saturating_sub(1), bottom(app));
    };
    let above = summary(&look, &app.xen, app.time).map(Line::raw);
    let lines = above.into_iter().chain(table(app, &look, usize::from(area.width)));
    // The last line is the keys'.
    for (at, line) in (0..area.height.saturating_sub(1)).zip(lines) {
        put(frame, at, line);
    }
    put(frame, area.height.saturating_sub(1), bottom(app));
}

fn put(frame: &mut Frame<'_>, at: u16, line: Line<'_>) {
    let area = frame.area();
    if at < area.height {
        frame.render_widget(line, Rect { y: area.y + at, height: 1, ..area });
    }
}

fn table<'a>(app: &App, look: &Look<'a>, width: usize) -> Vec<Line<'a>> {
    let shown = columns(app, width);
    let mut lines = Vec::new();
    for (at, row) in look.rows.iter().enumerate().skip(app.first_row) {
        if at == app.first_row || app.settings.repeat_header {
            let style = Style::new().add_modifier(Modifier::REVERSED);
            lines.push(line(app, &shown, &titles(&app.widths), style).style(style));
        }
        lines.push(line(app, &shown, &cells(row, &app.widths), Style::new()));
        lines.extend(details(row, &app.settings).into_iter().map(Line::raw));
    }
    lines
}

fn line<'a>(app: &App, shown: &[usize], texts: &[String], style: Style) -> Line<'a> {
    let mut spans = Vec::new();
    for (nth, &at) in shown.iter().enumerate() {
        if nth > 0 {
            spans.push(Span::styled(" ", style));
        }
        let style = if at == app.sort.column() { style.add_modifier(Modifier::BOLD) } else { style };
        spans.push(Span::styled(texts[at].clone(), style));
    }
    Line::from(spans)
}

/// The columns that fit: names, and from the first that is not scrolled out as many as there is room for.
fn columns(app: &App, width: usize) -> Vec<usize> {
    let mut shown = vec![0];
    let mut used = app.widths.0[0];
    for at in 1 + app.first_column..COLUMNS.len() {
        used += 1 + app.widths.0[at];
        if used > width {
            break;
        }
        shown.push(at);
    }
    shown
}

/// How far the columns can be scrolled until the last one is seen.
fn last_first_column(app: &App, width: usize) -> usize {
    let mut used = app.widths.0[0];
    let fitting = (1..COLUMNS.len()).rev().take_while(|&at| {
        used += 1 + app.widths.0[at];
        used <= width
    });
    (COLUMNS.len() - 1).saturating_sub(fitting.count())
}

/// The keys, or what is asked or said.
fn bottom(app: &App) -> Line<'static> {
    if let Some(answer) = &app.answer {
        return Line::raw(format!("  Delay(sec): {answer}"));
    }
    if let Some(message) = &app.message {
        return Line::raw(format!("  {message}"));
    }
    if let Some(asked) = app.asked
        && asked.elapsed() > app.settings.delay.max(super::screen::SLOW)
    {
        return Line::raw(format!("  no answer for {} s; Q ends", asked.elapsed().as_secs()));
    }
    let settings = &app.settings;
    let keys = [
        ("", "D", "elay", false),
        ("", "N", "etworks", settings.networks),
        ("v", "B", "ds", settings.vbds),
        ("", "V", "CPUs", settings.vcpus),
        ("", "R", "epeat header", settings.repeat_header),
        ("", "S", "ort order", false),
        ("", "Q", "uit", false),
    ];
    let mut spans = vec![Span::raw("  ")];
    for (before, key, after, is_on) in keys {
        let word = if is_on { Style::new().bg(Color::Yellow).fg(Color::Black) } else { Style::new() };
        spans.push(Span::styled(before, word));
        spans.push(Span::styled(key, Style::new().add_modifier(Modifier::REVERSED)));
        spans.push(Span::styled(after, word));
        spans.push(Span::raw("  "));
    }
    spans.push(Span::raw("\u{2190}\u{2191}\u{2193}\u{2192} scroll"));
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::app::After;
    use super::super::keys::Key;
    use super::super::testing::{domain, host, settings, two_looks};
    use super::*;

    fn app() -> App {
        let (first, second) = two_looks();
        let mut app = App::new(settings(), "4.17.6-pre".into());
        app.take(first, (9, 5, 4));
        app.take(second, (9, 5, 7));
        app
    }

    fn press(app: &mut App, keys: &str) -> After {
        let mut after = After::Draw;
        for key in keys.chars() {
            let key = match key {
                '>' => Key::Right,
                '<' => Key::Left,
                '_' => Key::Down,
                '^' => Key::Up,
                '\n' => Key::Enter,
                letter => Key::Letter(letter),
            };
            after = app.press(key);
        }
        after
    }

    fn drawn(app: &mut App, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(app, frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(line).collect()
    }

    #[test]
    fn at_80_by_24_the_first_nine_columns_fit_exactly() {
        let lines = drawn(&mut app(), 80, 24);
        assert_eq!(
            lines[..6],
            [
                "xm top - 09:05:07   Xen 4.17.6-pre",
                "2 domains: 1 running, 1 blocked, 0 paused, 0 crashed, 0 dying, 0 shutdown",
                "Mem: 524288k total, 124288k used, 400000k free    CPUs: 2 @ 2400MHz",
                "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS",
                "a-guest-wi --b---          7   99.2      65536   12.5     131072      25.0     7",
                "  Domain-0 -----r         12    1.0      16384    3.1   no limit       n/a     1",
            ]
        );
        assert_eq!(
            lines[23],
            "  Delay  Networks  vBds  VCPUs  Repeat header  Sort order  Quit  \u{2190}\u{2191}\u{2193}\u{2192} scroll"
        );
    }

    #[test]
    fn at_200_by_50_all_columns_are_there() {
        let lines = drawn(&mut app(), 200, 50);
        assert!(
            lines[3].ends_with("VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID"),
            "{}",
            lines[3]
        );
        assert!(lines[49].starts_with("  Delay"));
    }

    #[test]
    fn the_other_columns_are_scrolled_to_and_names_stay() {
        let mut app = app();
        press(&mut app, ">>");
        let lines = drawn(&mut app, 80, 24);
        assert!(lines[3].starts_with("      NAME CPU(%)     MEM(k)"), "{}", lines[3]);
        press(&mut app, &">".repeat(40));
        let lines = drawn(&mut app, 80, 24);
        assert!(lines[3].ends_with("VBD_WSECT SSID"), "{}", lines[3]);
        press(&mut app, &"<".repeat(40));
        assert!(drawn(&mut app, 80, 24)[3].ends_with("VCPUS"));
    }

    #[test]
    fn no_size_is_too_small() {
        for (width, height) in [(1, 1), (5, 2), (10, 4), (79, 5), (300, 3)] {
            drawn(&mut app(), width, height);
        }
    }

    #[test]
    fn more_domains_than_lines_are_scrolled_and_never_out_of_sight() {
        let mut app = app();
        app.take(host(5_000_000_000, (0..100).map(|n| domain(n, &format!("g{n:02}"))).collect()), (0, 0, 0));
        press(&mut app, "___");
        let lines = drawn(&mut app, 80, 24);
        assert!(lines[4].contains("g03") && lines[22].contains("g21"), "{lines:?}");
        press(&mut app, &"_".repeat(200));
        assert!(drawn(&mut app, 80, 24)[4].contains("g99"));
        // Then all but two are gone.
        app.take(two_looks().1, (0, 0, 0));
        assert!(drawn(&mut app, 80, 24)[4].contains("Domain-0"));
        press(&mut app, "^^^");
        assert!(drawn(&mut app, 80, 24)[4].contains("a-guest-wi"));
    }

    #[test]
    fn keys_are_xentops() {
        let mut app = app();
        assert_eq!(press(&mut app, "V"), After::Ask, "what is to be shown is asked for at once");
        press(&mut app, "NbR");
        let lines = drawn(&mut app, 120, 24);
        assert!(lines[5].starts_with("VCPUs(sec):   0:"), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("Net0 RX:")));
        assert!(lines.iter().any(|line| line.starts_with("VBD BlkBack 51712")));
        assert_eq!(lines.iter().filter(|line| line.contains("CPU(sec)")).count(), 2);
        press(&mut app, "sS");
        assert_eq!(app.sort.column(), 2);
        press(&mut app, "t");
        assert!(drawn(&mut app, 80, 24)[23].contains("no transcendent memory"));
        assert_eq!((press(&mut app, "q"), press(&mut app, "Q")), (After::Quit, After::Quit));
    }

    #[test]
    fn the_delay_is_asked_for_and_nonsense_is_said_to_be() {
        let mut app = app();
        press(&mut app, "d1q");
        assert_eq!(drawn(&mut app, 80, 24)[23], "  Delay(sec): 1q");
        press(&mut app, "\n");
        assert!(drawn(&mut app, 80, 24)[23].contains("'1q' is no delay"));
        assert_eq!(app.settings.delay, Duration::from_secs(3));
        press(&mut app, "D12\n");
        assert_eq!((app.settings.delay, app.answer.as_deref()), (Duration::from_secs(12), None));
    }
}
