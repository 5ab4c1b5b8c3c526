//! Benchmarks on a terminal.

use comfy_table::{CellAlignment, Table};

use super::super::case::CaseResult;
use super::terminal::name;
use crate::report::numbers::{count, counted, duration, share};

/// A table for each case that was a benchmark; nothing if there was none.
pub fn benches(results: &[CaseResult]) -> String {
    let mut out = String::new();
    for (result, bench) in
        results.iter().filter_map(|result| Some((result, result.bench.as_ref()?)))
    {
        let times = counted(bench.iterations, "iteration", "iterations");
        let beside = match bench.additional_streams {
            0 => String::new(),
            streams => format!(", {} beside it", counted(streams, "stream", "streams")),
        };
        out.push_str(&format!("\nbench {} ({times}{beside})\n", name(result)));
        let mut table = Table::new();
        table.load_style(crate::report::table::STYLE);
        table.set_header(["phase", "calls", "p50", "p90", "p99", "max", "fuel/call"]);
        for phase in &bench.phases {
            let latency = phase.latency_ns;
            table.add_row([
                phase.phase.to_owned(),
                count(phase.calls),
                duration(latency.p50),
                duration(latency.p90),
                duration(latency.p99),
                duration(latency.max),
                share(phase.fuel_total, phase.fuel_calls),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for line in table.lines() {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        let (before, after) = (bench.pages_initial, bench.pages_final);
        out.push_str(&format!(
            "memory: {} at first, {after} at last\n",
            counted(before, "page", "pages")
        ));
    }
    out
}
