//! What `limits` prints.

use std::fmt::{Arguments, Write as _};

use comfy_table::{CellAlignment, Row, Table};

use super::point::Point;
use super::result::{BudgetFile, Fit};
use crate::leak::Verdict;
use crate::report::numbers::{count, counted};
use crate::report::{plain, table};
use crate::units::format_bytes;

/// Columns of the longest bar.
const WIDEST: u64 = 40;

/// The answer, the table behind it, and a chart of one stream; some 100 columns wide.
#[must_use]
pub fn text(file: &BudgetFile) -> String {
    let mut out = String::new();
    let workers = counted(file.workers as u64, "worker", "workers");
    line(&mut out, format_args!("plugin    {}", plain(&file.plugin.path)));
    line(
        &mut out,
        format_args!(
            "budget    {} of linear memory for {workers}, {} each, on {}",
            format_bytes(file.budget_bytes),
            format_bytes(file.budget_bytes / file.workers.max(1) as u64),
            file.host.profile,
        ),
    );
    line(&mut out, format_args!("fits      {}", answer(file)));
    out.push('\n');
    frontier(&mut out, file);
    out.push('\n');
    chart(&mut out, &file.points);
    let leak = &file.leak;
    match leak.verdict {
        Verdict::Grows => line(
            &mut out,
            format_args!(
                "\nleak      grows: {}; no limit fits for long, `bench-host heap` shows where",
                plain(&leak.reason)
            ),
        ),
        Verdict::Flat => line(&mut out, format_args!("\nleak      none seen: {}", leak.reason)),
        _ => line(&mut out, format_args!("\nleak      cannot tell: {}", plain(&leak.reason))),
    }
    if !file.notes.is_empty() {
        out.push_str("\nWarnings\n");
        file.notes.iter().for_each(|note| line(&mut out, format_args!("  {}", plain(note))));
    }
    out
}

fn answer(file: &BudgetFile) -> String {
    let at_least = |fit: &Fit| if fit.is_open { "at least " } else { "" };
    let Some(one) = file.frontier.first().filter(|fit| fit.buffer_limit_bytes.is_some()) else {
        return "nothing: one stream with the least buffer limit takes more".to_owned();
    };
    let bytes = one.buffer_limit_bytes.unwrap_or(0);
    // In bytes too, as a proxy's configuration wants it.
    let limit = format!("{} ({bytes} bytes)", format_bytes(bytes));
    let usual = &file.at_usual_limit;
    let streams = match usual.buffer_limit_bytes {
        None => "no stream".to_owned(),
        Some(_) => {
            format!("{}{}", at_least(usual), counted(usual.streams as u64, "stream", "streams"))
        }
    };
    format!(
        "a buffer limit of {}{limit} with one stream at once;\n          {streams} with one of {}",
        at_least(one),
        format_bytes(file.usual_limit_bytes),
    )
}

fn frontier(out: &mut String, file: &BudgetFile) {
    let mut table = Table::new();
    let workers = format!("all\n{}", counted(file.workers as u64, "worker", "workers"));
    table.load_style(table::STYLE).set_header([
        "streams\nat once",
        "largest\nbuffer limit",
        "linear memory\nof a VM",
        &workers,
        "held by\nthe proxy",
    ]);
    for fit in &file.frontier {
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), format_bytes);
        let limit = match fit.buffer_limit_bytes {
            None => "none".to_owned(),
            Some(limit) if fit.is_open => format!("{} or more", format_bytes(limit)),
            Some(limit) => format_bytes(limit),
        };
        let held = fit.buffer_limit_bytes;
        let held = held.map(|limit| limit * fit.streams as u64 * file.workers as u64);
        table.add_row(Row::from([
            count(fit.streams as u64),
            limit,
            bytes(fit.vm_bytes),
            bytes(fit.workers_bytes),
            bytes(held),
        ]));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2)).set_cell_alignment(CellAlignment::Right);
    }
    table.lines().for_each(|text| line(out, format_args!("{}", text.trim_end())));
}

/// Memory of a VM with one stream, by the buffer limits that were doubled.
fn chart(out: &mut String, points: &[Point]) {
    line(out, format_args!("one stream, bodies as long as the limit: the most memory, then kept"));
    let mut shown: Vec<_> = points
        .iter()
        .filter(|point| point.streams == 1 && point.body_bytes == point.buffer_limit_bytes)
        .filter(|point| point.buffer_limit_bytes.is_power_of_two())
        .collect();
    shown.sort_by_key(|point| point.buffer_limit_bytes);
    let most = shown.iter().map(|point| point.peak_bytes).max().unwrap_or(0).max(1);
    for point in shown {
        let width = (point.peak_bytes * WIDEST).div_ceil(most);
        let bar = "█".repeat(usize::try_from(width).unwrap_or(0));
        let live = point.live_bytes.map(|live| format!(", live {}", format_bytes(live)));
        line(
            out,
            format_args!(
                "{:>10}  {bar} {}, {}{}",
                format_bytes(point.buffer_limit_bytes),
                format_bytes(point.peak_bytes),
                format_bytes(point.retained_bytes),
                live.unwrap_or_default(),
            ),
        );
    }
}

fn line(out: &mut String, text: Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}
