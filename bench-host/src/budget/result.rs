//! What `limits` writes as JSON and CSV; `docs/limits.md` says what each key means.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::load::Load;
use super::point::Point;
use super::sweep::{Question, Swept};
use crate::leak::LeakCheck;
use crate::report::numbers::counted;
use crate::report::{HostInfo, PluginInfo};
use crate::units::format_bytes;

/// A buffer limit and a number of streams, and the memory that they take together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fit {
    /// Streams that are open at once in each VM; 0 where not even one fits.
    pub streams: usize,
    /// The buffer limit; `None` where not even the least one fits.
    pub buffer_limit_bytes: Option<u64>,
    /// The search ended before anything was too much: more may fit.
    pub is_open: bool,
    /// Linear memory of a VM.
    pub vm_bytes: Option<u64>,
    /// Linear memory of the VMs of all workers.
    pub workers_bytes: Option<u64>,
}

/// The requests that were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LoadInfo {
    /// The kind, as `synth:` calls it.
    pub kind: String,
    /// Their path, where it was chosen.
    pub path: Option<String>,
    /// The header fields that were chosen.
    pub headers: Vec<(String, String)>,
}

/// All that a sweep found; the same on every machine but for the host's `cpu`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetFile {
    /// [`BudgetFile::SCHEMA`].
    pub schema: u32,
    /// The plugin.
    pub plugin: PluginInfo,
    /// The proxy and what is under it.
    pub host: HostInfo,
    /// The requests.
    pub load: LoadInfo,
    /// Linear memory that the VMs of all workers may have.
    pub budget_bytes: u64,
    /// Workers, each with a VM.
    pub workers: usize,
    /// The largest buffer limit for each number of streams.
    pub frontier: Vec<Fit>,
    /// The most streams with the buffer limit that the proxy has, or was chosen.
    pub at_usual_limit: Fit,
    /// That limit.
    pub usual_limit_bytes: u64,
    /// Whether memory grows with requests.
    pub leak: LeakCheck,
    /// What to know before trusting the figures, a sentence each.
    pub notes: Vec<String>,
    /// All points that were measured, in their order.
    pub points: Vec<Point>,
}

impl BudgetFile {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;

    /// Puts together what was asked and what was found.
    #[must_use]
    pub fn new(
        (plugin, host): (PluginInfo, HostInfo),
        load: &Load,
        question: &Question,
        swept: Swept,
    ) -> Self {
        Self {
            schema: Self::SCHEMA,
            plugin,
            host,
            load: LoadInfo {
                kind: load.kind.name().to_owned(),
                path: load.path.clone(),
                headers: load.headers.clone(),
            },
            budget_bytes: question.budget,
            workers: question.workers.get(),
            notes: notes(&swept.points),
            frontier: swept.frontier,
            at_usual_limit: swept.at_usual_limit,
            usual_limit_bytes: question.usual_limit,
            leak: swept.leak,
            points: swept.points,
        }
    }

    /// Whether anything fits.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.frontier.iter().any(|fit| fit.buffer_limit_bytes.is_some())
    }

    /// The file's text: indented JSON with a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        crate::report::json(self)
    }
}

fn notes(points: &[Point]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |is: bool, text: &str| {
        if is {
            notes.push(text.to_owned());
        }
    };
    note(
        points.iter().all(|point| point.read_bytes == 0),
        "the plugin read nothing of any body: it may not be concerned with such requests, see \
         --kind, --path, --header and --config",
    );
    let refused = |point: &Point| point.local_replies > 0;
    note(
        points.iter().filter(|point| point.body_bytes <= point.buffer_limit_bytes).any(refused),
        "some requests were answered by the plugin although the proxy could hold them; a plugin \
         with a limit of its own does not grow beyond it",
    );
    note(
        points.iter().any(|point| point.failed > 0 && point.crash.is_none()),
        "some requests failed; what they would have taken is not in the figures",
    );
    let longer = |short: &&Point| {
        points.iter().any(|long| {
            (long.streams, long.buffer_limit_bytes) == (short.streams, short.buffer_limit_bytes)
                && long.body_bytes > short.body_bytes
                && long.peak_bytes >= short.peak_bytes + short.buffer_limit_bytes
        })
    };
    let steady = points.iter().filter(|point| point.is_steady);
    if let Some(point) = steady.filter(|point| point.body_bytes > 256 * 1024).find(longer) {
        notes.push(format!(
            "memory grows with bodies that are longer than the buffer limit, as with one of {}: \
             the plugin keeps what has passed, and no limit bounds that",
            format_bytes(point.buffer_limit_bytes)
        ));
    }
    if let Some(point) = points.iter().find(|point| !point.is_steady) {
        notes.push(format!(
            "memory is not flat: with {} at once and bodies of {} it grew again when the same \
             requests came again",
            counted(point.streams as u64, "stream", "streams"),
            format_bytes(point.body_bytes)
        ));
    }
    notes
}

/// The points as CSV, a line each below their names.
#[must_use]
pub fn csv(points: &[Point]) -> String {
    let mut text = "streams,buffer_limit_bytes,body_bytes,initial_bytes,peak_bytes,retained_bytes,\
                    live_bytes,live_peak,is_steady,read_bytes,requests,local_replies,failed\n"
        .to_owned();
    for point in points {
        let known = |bytes: Option<u64>| bytes.map_or_else(String::new, |bytes| bytes.to_string());
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{}",
            point.streams,
            point.buffer_limit_bytes,
            point.body_bytes,
            point.initial_bytes,
            point.peak_bytes,
            point.retained_bytes,
            known(point.live_bytes),
            known(point.live_peak),
            point.is_steady,
            point.read_bytes,
            point.requests,
            point.local_replies,
            point.failed,
        );
    }
    text
}
