//! Several results side by side.

use super::numbers::{bytes_share, duration, ratio, share};
use super::{PhaseCosts, ResultFile};
use crate::measure::Phase;
use crate::units::format_bytes;

/// The phases of which each has a table.
const PHASES: [Phase; 2] = [Phase::RequestBody, Phase::ResponseBody];

/// A direction with fewer chunks than one in so many of the other's has no table.
const NEGLIGIBLE: u64 = 100;

const HEADS: [&str; 11] = [
    "plugin",
    "chunks",
    "fuel/chunk",
    "ratio",
    "host calls/chunk",
    "bytes in/chunk",
    "bytes out/chunk",
    "allocs/chunk",
    "p50",
    "ratio",
    "module",
];

/// Compares what a chunk costs in several plugins: Markdown, a table for each direction that has
/// more than a few chunks. Ratios are to the first result.
///
/// Give results of the same traffic and options: nothing here checks that they can be compared.
///
/// # Cost
/// Allocates the text; meant for people.
#[must_use]
pub fn comparison(results: &[(&str, &ResultFile)]) -> String {
    let mut out = String::new();
    let calls = |phase| {
        results.iter().filter_map(|(_, result)| result.phase(phase)).map(|c| c.calls).sum::<u64>()
    };
    let busiest = PHASES.into_iter().map(calls).max().unwrap_or(0);
    // The single answer to each of many uploads says nothing about chunks.
    for phase in PHASES.into_iter().filter(|phase| calls(*phase) > busiest / NEGLIGIBLE) {
        let mut rows = vec![HEADS.map(str::to_owned)];
        let costs = |result: &ResultFile| result.phase(phase).filter(|c| c.calls > 0).cloned();
        let base = results.first().and_then(|(_, result)| costs(result)).unwrap_or_default();
        for (name, result) in results {
            rows.extend(costs(result).map(|costs| row(name, result, &costs, &base)));
        }
        if rows.len() > 1 {
            if !out.is_empty() {
                out.push('\n');
            }
            out += &format!("{}\n\n{}", phase.name(), markdown(&rows));
        }
    }
    out
}

fn row(name: &str, result: &ResultFile, costs: &PhaseCosts, base: &PhaseCosts) -> [String; 11] {
    let chunks = costs.calls;
    let none = || "-".to_owned();
    let fuel = |costs: &PhaseCosts| {
        costs.fuel.filter(|_| costs.calls > 0).map(|fuel| fuel.total as f64 / costs.calls as f64)
    };
    let p50 = |costs: &PhaseCosts| costs.latency_ns.map(|latency| latency.p50);
    let fuels = fuel(costs).zip(fuel(base));
    let times = p50(costs).zip(p50(base));
    [
        // A bar would end the cell, a line break the table.
        name.replace('|', "\\|").replace(char::is_control, " "),
        chunks.to_string(),
        costs.fuel.map_or_else(none, |fuel| share(fuel.total, chunks)),
        fuels.map_or_else(none, |(fuel, base)| ratio(fuel, base)),
        share(costs.host_call_count(), chunks),
        bytes_share(costs.bytes_in, chunks),
        bytes_share(costs.bytes_out, chunks),
        costs.guest.map_or_else(none, |books| share(books.allocations, chunks)),
        p50(costs).map_or_else(none, duration),
        times.map_or_else(none, |(time, base)| ratio(time as f64, base as f64)),
        result.plugin.bytes.map_or_else(none, format_bytes),
    ]
}

/// A table whose source lines up too; the first column is text, the others are numbers.
fn markdown<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    let mut out = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            out += &match column {
                0 => format!("| {cell:<width$} |"),
                _ => format!(" {cell:>width$} |"),
            };
        }
        out.push('\n');
        if number == 0 {
            for (column, width) in widths.into_iter().enumerate() {
                out += &match column {
                    0 => format!("| {} |", "-".repeat(width)),
                    _ => format!(" {}: |", "-".repeat(width.saturating_sub(1))),
                };
            }
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn plugins_side_by_side() {
        let (ours, mut slower) = (fixture::busy(), fixture::busy());
        let costs = slower.phases.get_mut("request_body").unwrap();
        costs.fuel.as_mut().unwrap().total *= 3;
        costs.latency_ns.as_mut().unwrap().p50 *= 2;
        costs.guest = None;
        slower.phases.get_mut("response_body").unwrap().calls = 0;
        let bare = fixture::bare();
        let text = comparison(&[("ours", &ours), ("a|b", &slower), ("native", &bare)]);
        insta::assert_snapshot!(text, @r"
        request_body

        | plugin | chunks | fuel/chunk | ratio | host calls/chunk | bytes in/chunk | bytes out/chunk | allocs/chunk |     p50 | ratio |   module |
        | ------ | -----: | ---------: | ----: | ---------------: | -------------: | --------------: | -----------: | ------: | ----: | -------: |
        | ours   |     10 |     13 210 | 1.00x |             1.20 |       12.8 KiB |             8 B |         0.10 | 43.0 µs | 1.00x | 47.5 KiB |
        | a\|b   |     10 |     39 631 | 3.00x |             1.20 |       12.8 KiB |             8 B |            - | 86.0 µs | 2.00x | 47.5 KiB |
        | native |      3 |          - |     - |                0 |            0 B |             0 B |            - |       - |     - |        - |

        response_body

        | plugin | chunks | fuel/chunk | ratio | host calls/chunk | bytes in/chunk | bytes out/chunk | allocs/chunk |   p50 | ratio |   module |
        | ------ | -----: | ---------: | ----: | ---------------: | -------------: | --------------: | -----------: | ----: | ----: | -------: |
        | ours   |      3 |        210 | 1.00x |                0 |            0 B |             0 B |         0.33 | 22 ns | 1.00x | 47.5 KiB |
        ");
    }

    #[test]
    fn nothing_to_compare() {
        assert_eq!(comparison(&[]), "");
        let mut result = fixture::busy();
        result.phases.clear();
        assert_eq!(comparison(&[("empty", &result)]), "");
    }
}
