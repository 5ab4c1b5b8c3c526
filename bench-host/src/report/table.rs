//! A result on a terminal, some 100 columns wide and without colours.

use std::fmt::{Arguments, Write};

use comfy_table::{CellAlignment, LineStyle, Row, Table, TableStyle};

use super::numbers::{bytes_share, count, duration, share};
use super::summary::{ASIDE, heading, summary};
use super::warnings::warnings;
use super::{PhaseCosts, ResultFile};
use crate::measure::{Percentiles, Phase};

/// Only a line under the heads: what is piped elsewhere should not be full of boxes.
pub(crate) const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

const HEADS: [&str; 11] = [
    "phase",
    "calls",
    "fuel",
    "p50",
    "p99",
    "max",
    "host\ncalls",
    "bytes\nin",
    "bytes\nout",
    "allocs",
    "pages\ngrown",
];

/// The result as text, each line ended by a line feed.
///
/// Control characters in what a plugin logs are escaped, so that the text is safe to print.
///
/// # Cost
/// Allocates the text; meant for people.
#[must_use]
pub fn text(result: &ResultFile) -> String {
    let mut out = String::new();
    heading(&mut out, result);
    out.push('\n');
    costs(&mut out, result);
    out.push('\n');
    summary(&mut out, result);
    let warnings = warnings(result);
    if !warnings.is_empty() {
        out.push_str("\nWarnings\n");
        for warning in warnings {
            line(&mut out, format_args!("  {warning}"));
        }
    }
    out
}

fn costs(out: &mut String, result: &ResultFile) {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(HEADS);
    for phase in Phase::ALL.into_iter().filter(|phase| !ASIDE.contains(phase)) {
        if let Some(costs) = result.phase(phase).filter(|costs| costs.calls > 0) {
            table.add_row(row(phase, costs, result.heap.pages_initial > 0));
        }
    }
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if place > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    if table.is_empty() {
        line(out, format_args!("The plugin was not called for any request."));
        return;
    }
    for text in table.lines() {
        line(out, format_args!("{}", text.trim_end()));
    }
    let note = "fuel, host calls, bytes and allocations are per call; everything but time is exact";
    line(out, format_args!("{note}"));
}

fn row(phase: Phase, costs: &PhaseCosts, has_pages: bool) -> Row {
    let calls = costs.calls;
    let none = || "-".to_owned();
    let time = |at: fn(&Percentiles) -> u64| {
        costs.latency_ns.as_ref().map_or_else(none, |latency| duration(at(latency)))
    };
    Row::from([
        phase.name().to_owned(),
        count(calls),
        costs.fuel.map_or_else(none, |fuel| share(fuel.total, calls)),
        time(|latency| latency.p50),
        time(|latency| latency.p99),
        time(|latency| latency.max),
        share(costs.host_call_count(), calls),
        bytes_share(costs.bytes_in, calls),
        bytes_share(costs.bytes_out, calls),
        costs.guest.map_or_else(none, |books| share(books.allocations, calls)),
        if has_pages { count(costs.pages_grown) } else { none() },
    ])
}

fn line(out: &mut String, text: Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::summary::WIDTH;
    use super::*;

    #[test]
    fn a_result_in_full() {
        insta::assert_snapshot!(text(&fixture::busy()), @r"
        plugin    rebrand.wasm, 47.5 KiB, ABI 0.2.1, SDK chunkwise 0.1.0
        host      envoy on wasmtime 48.0.8, buffer limit 1.0 MiB, Some CPU @ 2.60GHz
        traffic   synth:upload,size=64KiB,requests=2: 2 requests, 10 chunks, 128.0 KiB

        phase             calls    fuel      p50      p99     max   host     bytes  bytes  allocs  pages
                                                                   calls        in    out          grown
        ─────────────────────────────────────────────────────────────────────────────────────────────────
        request_headers       2   7 000   700 ns   701 ns  701 ns      0       0 B    0 B    0.50      0
        request_body         10  13 210  43.0 µs  53.1 µs  2.2 ms   1.20  12.8 KiB    8 B    0.10      1
        response_headers      2   6 000   600 ns   601 ns  601 ns      0       0 B    0 B    0.50      0
        response_body         3     210    22 ns    23 ns   23 ns      0       0 B    0 B    0.33      0
        done                  2     250    25 ns    26 ns   26 ns      0       0 B    0 B    0.50      0
        fuel, host calls, bytes and allocations are per call; everything but time is exact

        requests  2 completed, 1 local reply, 0 failed, p50 2.1 ms, p99 2.6 ms, max 105.0 ms
        memory    3 pages (192.0 KiB) to 4 pages (256.0 KiB), live 2.0 KiB, peak 12.0 KiB, arena 64.0 KiB
        VM        1 created, 0 rebuilds, 0 crashes, made in 350.0 µs, configured in 20.0 µs
        request   proxy_get_buffer_bytes 1, proxy_set_buffer_bytes 0.20 per chunk
        also      vm_start 9 000 fuel, configure 11 000 fuel, 3 x context_create 800 fuel, 2 x log 300 fuel,
                  2 x delete 450 fuel
        ");
    }

    #[test]
    fn the_memory_of_several_workers_is_not_all_of_a_proxys() {
        let said = |profile: &str, workers| {
            let mut result = fixture::busy();
            profile.clone_into(&mut result.host.profile);
            if let Some(options) = &mut result.options {
                options.workers = workers;
            }
            let text = text(&result);
            ["all workers together", "one VM more in Envoy's main thread"]
                .map(|what| text.contains(what))
        };
        assert_eq!(said("envoy", 1), [false, false]);
        assert_eq!(said("envoy", 2), [true, true]);
        assert_eq!(said("higress", 2), [true, false]);
    }

    #[test]
    fn what_was_not_taken_down_is_a_dash() {
        insta::assert_snapshot!(text(&fixture::bare()), @r"
        plugin    upload
        host      envoy on native 0.1.0, buffer limit 1.0 MiB, Some CPU @ 2.60GHz
        traffic   synth:upload: 1 request, 0 chunks, 0 B

        phase         calls  fuel  p50  p99  max   host  bytes  bytes  allocs  pages
                                                  calls     in    out          grown
        ─────────────────────────────────────────────────────────────────────────────
        request_body      3     -    -    -    -      0    0 B    0 B       -      -
        fuel, host calls, bytes and allocations are per call; everything but time is exact

        requests  1 completed, 0 local replies, 0 failed
        memory    native, without linear memory
        VM        1 created, 0 rebuilds, 0 crashes, made in 0 ns, configured in 0 ns
        ");
    }

    #[test]
    fn trouble_is_shown_last() {
        let text = text(&fixture::broken());
        let (_, warnings) = text.split_once("\n\nWarnings\n").unwrap();
        insta::assert_snapshot!(warnings, @r"
        the plugin crashed 2 times, first in request 1, in proxy_on_request_body: wasm `unreachable` instruction executed
           0: rebrand::frame_0
           1: rebrand::frame_1
           2: rebrand::frame_2
           3: rebrand::frame_3
           4: rebrand::frame_4
           5: rebrand::frame_5
           6: rebrand::frame_6
           7: rebrand::frame_7
           8: rebrand::frame_8
           9: rebrand::frame_9
          and 4 more frames
        2 requests failed
        calls that this host does not implement: env.proxy_grpc_call (3), wasi_snapshot_preview1.fd_seek (1)
        the plugin logged 1 at error, 8 at warn:
          warn: rule 0\n\u{1b}[31mis odd
          warn: rule 1\n\u{1b}[31mis odd
          warn: rule 2\n\u{1b}[31mis odd
          warn: rule 3\n\u{1b}[31mis odd
          warn: rule 4\n\u{1b}[31mis odd
          and 8 more lines
        ");
    }

    #[test]
    fn lines_fit_and_hold_nothing_that_a_terminal_obeys() {
        for result in [fixture::busy(), fixture::bare(), fixture::broken()] {
            let text = text(&result);
            for line in text.lines().take_while(|line| *line != "Warnings") {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
            for line in text.lines() {
                assert!(!line.chars().any(char::is_control), "{line:?}");
                assert_eq!(line, line.trim_end());
            }
        }
    }
}
