//! The page of the rows, which documentation quotes.

use std::fmt::Write as _;

use super::{Figure, Predicted, Row};
use crate::ranks::{ranks, spearman};

/// The tables in Markdown.
pub fn page(rows: &[Row]) -> String {
    let mut text = String::new();
    let Some(first) = rows.first() else { return text };
    let (envoy, machine, date) = (&first.envoy, &first.machine, &first.date);
    let _ = writeln!(text, "Envoy {envoy}, one worker, {machine}, {date}.\n");
    for group in groups(rows) {
        tables(&mut text, group);
    }
    prediction(&mut text, rows);
    text
}

/// The rows of each traffic, in their order.
fn groups(rows: &[Row]) -> impl Iterator<Item = &[Row]> {
    rows.chunk_by(|one, other| one.traffic == other.traffic)
}

fn tables(text: &mut String, rows: &[Row]) {
    let Some(first) = rows.first() else { return };
    let _ = writeln!(
        text,
        "**{}**, medians of {} rounds; the client and the upstream took {} of CPU a request\n",
        first.traffic,
        first.rounds,
        micros(first.client),
    );
    let _ = writeln!(
        text,
        "| plugin | CPU a request | ratio | p50 | ratio | p99 | ratio | answers/s | ratio | busy \
         | failed |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    let again = rows.iter().find(|row| row.plugin == super::AGAIN);
    for row in rows {
        let ratio = |of: fn(&Row) -> Figure| ratio(row, of(row), again.map(of));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {:.0} | {} | {:.0} % | {} |",
            row.plugin,
            micros(row.cpu.value),
            ratio(|row| row.cpu),
            micros(row.p50.value),
            ratio(|row| row.p50),
            micros(row.p99.value),
            ratio(|row| row.p99),
            row.throughput.value,
            ratio(|row| row.throughput),
            row.busy * 100.0,
            row.failed,
        );
    }
    text.push('\n');
}

/// A duration with as many digits as it is known to.
fn micros(value: f64) -> String {
    match value {
        _ if value >= 10_000.0 => format!("{:.1} ms", value / 1000.0),
        _ if value >= 1000.0 => format!("{:.2} ms", value / 1000.0),
        _ => format!("{value:.0} µs"),
    }
}

fn ratio(row: &Row, figure: Figure, again: Option<Figure>) -> String {
    let Figure { ratio, low, high, .. } = figure;
    match () {
        () if row.plugin == super::NONE => "1".to_owned(),
        () if figure.is_noise(again.as_ref()) => format!("within noise ({low:.2}–{high:.2})"),
        () => format!("**{ratio:.2}** ({low:.2}–{high:.2})"),
    }
}

/// A module under one traffic: what it adds in Envoy, and what the bench host says.
struct Added<'r> {
    row: &'r Row,
    cpu: f64,
    fuel: f64,
    time: f64,
    host_calls: f64,
}

fn added(rows: &[Row]) -> Vec<Added<'_>> {
    groups(rows).flat_map(added_by).collect()
}

fn added_by(group: &[Row]) -> Vec<Added<'_>> {
    let none = group.iter().find(|row| row.plugin == super::NONE);
    let none = none.map_or(0.0, |none| none.cpu.value);
    group
        .iter()
        .filter_map(|row| {
            let Predicted { fuel, nanoseconds, host_calls } = row.bench_host?;
            let cpu = none * (row.cpu.ratio - 1.0);
            Some(Added { row, cpu, fuel: fuel as f64, time: nanoseconds as f64, host_calls })
        })
        .collect()
}

fn prediction(text: &mut String, rows: &[Row]) {
    let all = added(rows);
    if all.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "**The bench host's order beside Envoy's**, a request; rank 1 is the least\n\n\
         | traffic | plugin | added CPU in Envoy | rank | instructions | rank | time in the bench host \
         | rank | host calls |\n|---|---|--:|--:|--:|--:|--:|--:|--:|"
    );
    let of = |value: fn(&Added<'_>) -> f64| ranks(&all.iter().map(value).collect::<Vec<_>>());
    let (cpus, fuels, times) = (of(|it| it.cpu), of(|it| it.fuel), of(|it| it.time));
    for (at, added) in all.iter().enumerate() {
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} µs | {} | {} | {} | {:.1} µs | {} | {:.1} |",
            added.row.traffic,
            added.row.plugin,
            added.cpu,
            cpus[at],
            added.fuel,
            fuels[at],
            added.time / 1000.0,
            times[at],
            added.host_calls,
        );
    }
    let _ = writeln!(
        text,
        "\n**Spearman's coefficient** with the added CPU in Envoy; 1 is the same order\n\n\
         | traffic | plugins | instructions | time in the bench host \
         | host calls |\n|---|--:|--:|--:|--:|"
    );
    coefficients(text, "all", &all);
    for group in groups(rows) {
        let of_traffic = added_by(group);
        if of_traffic.len() > 2 {
            coefficients(text, &group[0].traffic, &of_traffic);
        }
    }
}

fn coefficients(text: &mut String, traffic: &str, of: &[Added<'_>]) {
    let coefficient = |value: fn(&Added<'_>) -> f64| {
        let pairs: Vec<_> = of.iter().map(|added| (value(added), added.cpu)).collect();
        spearman(&pairs).map_or_else(|| "-".to_owned(), |it| format!("{it:.2}"))
    };
    let (fuel, time) = (coefficient(|it| it.fuel), coefficient(|it| it.time));
    let calls = coefficient(|it| it.host_calls);
    let _ = writeln!(text, "| {traffic} | {} | {fuel} | {time} | {calls} |", of.len());
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::example;
    use super::*;

    #[test]
    fn ratios_that_the_rounds_do_not_agree_on_are_noise() {
        let mut row = example("a", 60.0, None);
        assert_eq!(ratio(&row, row.cpu, None), "within noise (0.50–9.00)");
        row.cpu.low = 1.1;
        assert_eq!(ratio(&row, row.cpu, None), "**1.20** (1.10–9.00)");
        row.plugin = super::super::NONE.to_owned();
        assert_eq!(ratio(&row, row.cpu, None), "1");
    }

    #[test]
    fn the_orders_stand_side_by_side() {
        let rows = [
            example(super::super::NONE, 50.0, None),
            example("lua", 99.0, None),
            example("a", 60.0, Some((1000, 900))),
            example("b", 70.0, Some((500, 950))),
            example("c", 80.0, Some((2000, 990))),
        ];
        let page = page(&rows);
        assert!(page.contains("| get | a | 10.0 µs | 1 | 1000 | 2 | 0.9 µs | 1 | 2.5 |"), "{page}");
        assert!(page.contains("| all | 3 | 0.50 | 1.00 | - |"), "{page}");
        assert!(!page.contains("| get | lua |"), "{page}");
    }
}
