//! A row of `results/envoy.csv`.

use std::fmt::Write as _;

/// One plugin under one kind of traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The traffic.
    pub traffic: String,
    /// The example, or what stands in its place.
    pub plugin: String,
    /// Rounds that the figures are medians of.
    pub rounds: u64,
    /// Requests that were answered as expected, over all rounds.
    pub answers: u64,
    /// Requests that were not.
    pub failed: u64,
    /// CPU time of Envoy's process for a request, in microseconds.
    pub cpu: Figure,
    /// Median latency in microseconds.
    pub p50: Figure,
    /// 99th percentile of the latency in microseconds.
    pub p99: Figure,
    /// Answers a second.
    pub throughput: Figure,
    /// The share of one processor that Envoy used while the throughput was measured. Where it is
    /// far from 1, Envoy was not what limited it.
    pub busy: f64,
    /// CPU time of the load client and the upstream for a request, in microseconds. Where it is
    /// above Envoy's, they may be what limited the throughput.
    pub client: f64,
    /// What the bench host says of a request of the same traffic; `None` for what is no module.
    pub bench_host: Option<Predicted>,
    /// Envoy's version.
    pub envoy: String,
    /// The processor.
    pub machine: String,
    /// The day, as in 2026-01-31.
    pub date: String,
}

/// What the bench host says of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    /// Instructions.
    pub fuel: u64,
    /// Time in the module and its host calls: the mean of the run in which it was shortest.
    pub nanoseconds: u64,
    /// Host calls.
    pub host_calls: f64,
}

/// A measure: its median over the rounds, and its ratio to no plugin in the same round.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure {
    /// The median of the rounds.
    pub value: f64,
    /// The median of the ratios.
    pub ratio: f64,
    /// The lowest ratio of a round; of five rounds and more, the lowest but one.
    pub low: f64,
    /// The highest, or the highest but one.
    pub high: f64,
}

impl Figure {
    /// Of the values of all rounds, and those of no plugin in the same rounds.
    pub fn new(values: &[f64], none: &[f64]) -> Self {
        let mut ratios: Vec<_> =
            values.iter().zip(none).map(|(value, none)| value / none).collect();
        ratios.sort_by(f64::total_cmp);
        // One round in which the machine was busy with something else says nothing of a plugin.
        let within = match ratios.len() {
            rounds if rounds >= 5 => &ratios[1..rounds - 1],
            _ => &ratios[..],
        };
        Self {
            value: median(values),
            ratio: median(&ratios),
            low: within.first().copied().unwrap_or_default(),
            high: within.last().copied().unwrap_or_default(),
        }
    }

    /// Whether its rounds may be those of no plugin: they reach to 1, or to where those of no plugin
    /// reached when it was measured `again`.
    pub fn is_noise(&self, again: Option<&Self>) -> bool {
        let (low, high) =
            again.map_or((1.0, 1.0), |again| (again.low.min(1.0), again.high.max(1.0)));
        self.low <= high && self.high >= low
    }
}

/// The middle one, or the mean of both; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// Why a text is not such a file.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the results: {what}; measure anew, or take the file of another commit")]
pub struct CsvError {
    /// The line, from 1.
    pub line: usize,
    /// What it does not have.
    pub what: &'static str,
}

const COLUMNS: &str = "traffic,plugin,rounds,answers,failed,\
    cpu_us,cpu_ratio,cpu_low,cpu_high,p50_us,p50_ratio,p50_low,p50_high,\
    p99_us,p99_ratio,p99_low,p99_high,per_second,per_second_ratio,per_second_low,per_second_high,\
    busy,client_us,fuel,bench_host_ns,host_calls,envoy,machine,date";

/// The text of the file.
pub fn print(rows: &[Row]) -> String {
    let mut text = format!("{COLUMNS}\n");
    for row in rows {
        let mut fields = vec![word(&row.traffic), word(&row.plugin)];
        fields.extend([row.rounds, row.answers, row.failed].map(|count| count.to_string()));
        for (figure, digits) in [(row.cpu, 2), (row.p50, 1), (row.p99, 1), (row.throughput, 1)] {
            fields.push(format!("{:.digits$}", figure.value));
            fields.extend([figure.ratio, figure.low, figure.high].map(|it| format!("{it:.3}")));
        }
        fields.extend([row.busy, row.client].map(|it| format!("{it:.2}")));
        match row.bench_host {
            Some(Predicted { fuel, nanoseconds, host_calls }) => {
                fields.extend([
                    fuel.to_string(),
                    nanoseconds.to_string(),
                    format!("{host_calls:.1}"),
                ]);
            }
            None => fields.extend([const { String::new() }; 3]),
        }
        fields.extend([&row.envoy, &row.machine, &row.date].map(|text| word(text)));
        let _ = writeln!(text, "{}", fields.join(","));
    }
    text
}

/// Nothing here is quoted: no name needs a comma.
fn word(text: &str) -> String {
    text.replace([',', '"', '\n'], " ")
}

/// The rows of the file.
///
/// # Errors
/// [`CsvError`] where it has another shape.
pub fn parse(text: &str) -> Result<Vec<Row>, CsvError> {
    let mut lines = text.lines();
    if lines.next() != Some(COLUMNS) {
        return Err(CsvError { line: 1, what: "other columns" });
    }
    let row = |(at, line): (usize, &str)| row(line).map_err(|what| CsvError { line: at + 2, what });
    lines.enumerate().map(row).collect()
}

fn row(line: &str) -> Result<Row, &'static str> {
    let fields: Vec<_> = line.split(',').collect();
    if fields.len() != COLUMNS.split(',').count() {
        return Err("another number of fields");
    }
    let count = |at: usize| fields[at].parse::<u64>().map_err(|_| "a count that is none");
    let number = |at: usize| match fields[at].parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("a number that is none"),
    };
    let figure = |at: usize| {
        let [value, ratio, low, high] =
            [number(at)?, number(at + 1)?, number(at + 2)?, number(at + 3)?];
        match low <= ratio && ratio <= high {
            true => Ok(Figure { value, ratio, low, high }),
            false => Err("a ratio outside of its rounds"),
        }
    };
    let text = |at: usize| fields[at].to_owned();
    let bench_host = match fields[23..26] {
        ["", "", ""] => None,
        _ => Some(Predicted { fuel: count(23)?, nanoseconds: count(24)?, host_calls: number(25)? }),
    };
    Ok(Row {
        traffic: text(0),
        plugin: text(1),
        rounds: count(2)?,
        answers: count(3)?,
        failed: count(4)?,
        cpu: figure(5)?,
        p50: figure(9)?,
        p99: figure(13)?,
        throughput: figure(17)?,
        busy: number(21)?,
        client: number(22)?,
        bench_host,
        envoy: text(26),
        machine: text(27),
        date: text(28),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn example(plugin: &str, cpu: f64, bench_host: Option<(u64, u64)>) -> Row {
        let predicted = |(fuel, nanoseconds)| Predicted { fuel, nanoseconds, host_calls: 2.5 };
        let figure = |value| Figure { value, ratio: cpu / 50.0, low: 0.5, high: 9.0 };
        Row {
            traffic: "get".into(),
            plugin: plugin.into(),
            rounds: 5,
            answers: 1000,
            failed: 0,
            cpu: figure(cpu),
            p50: figure(300.0),
            p99: figure(900.0),
            throughput: figure(5000.0),
            busy: 0.97,
            client: 21.5,
            bench_host: bench_host.map(predicted),
            envoy: "1.40.0".into(),
            machine: "a processor".into(),
            date: "2026-01-31".into(),
        }
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let rows = [example("none", 50.0, None), example("a", 60.5, Some((1000, 700)))];
        assert_eq!(parse(&print(&rows)).unwrap(), rows);
    }

    #[test]
    fn what_has_another_shape_is_refused_by_its_line() {
        let text = print(&[example("a", 60.0, Some((1, 2)))]);
        for (written, broken) in [
            ("a processor", "a, processor"),
            ("1000", "-1"),
            ("60.00,1.2", "NaN,1.2"),
            ("9.000", "1"),
        ] {
            assert!(text.contains(written), "{text}");
            assert_eq!(parse(&text.replacen(written, broken, 1)).unwrap_err().line, 2, "{broken}");
        }
        assert_eq!(parse("traffic,plugin\n").unwrap_err().line, 1);
    }

    #[test]
    fn a_figure_is_a_median_of_ratios_within_their_rounds() {
        let figure = Figure::new(&[20.0, 60.0, 45.0], &[10.0, 50.0, 30.0]);
        assert_eq!(figure, Figure { value: 45.0, ratio: 1.5, low: 1.2, high: 2.0 });
        assert!(!figure.is_noise(None));
        let again = Figure { value: 10.0, ratio: 1.1, low: 1.05, high: 1.25 };
        assert!(again.is_noise(Some(&again)) && !again.is_noise(None));
        assert!(figure.is_noise(Some(&again)));
        assert!(Figure::new(&[9.0, 12.0, 12.0], &[10.0; 3]).is_noise(None));
        let with_outliers = Figure::new(&[12.0, 90.0, 11.0, 1.0, 13.0], &[10.0; 5]);
        assert_eq!((with_outliers.low, with_outliers.high), (1.1, 1.3));
    }
}
