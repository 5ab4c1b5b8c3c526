//! What stands above and below the table: one line a topic, its facts behind a label.

use super::numbers::{count, counted, duration, share};
use super::warnings::plain;
use super::{PAGE, ResultFile};
use crate::host::Profile;
use crate::leak::Verdict;
use crate::measure::Phase;
use crate::units::format_bytes;

/// Columns that a line may take.
pub(super) const WIDTH: usize = 100;

/// Phases that few ask about; they share a line below the table.
pub(super) const ASIDE: [Phase; 5] =
    [Phase::VmStart, Phase::Configure, Phase::ContextCreate, Phase::Log, Phase::Delete];

/// What was replayed, through what, in which host.
pub(super) fn heading(out: &mut String, result: &ResultFile) {
    let (plugin, host, traffic) = (&result.plugin, &result.host, &result.traffic);
    let mut facts = vec![plain(&plugin.path)];
    facts.extend(plugin.bytes.map(format_bytes));
    facts.extend(plugin.abi.as_ref().map(|abi| format!("ABI {}", plain(abi))));
    match &plugin.sdk {
        Some(sdk) => {
            let version = sdk.version.as_deref().unwrap_or("(version unknown)");
            facts.push(plain(&format!("SDK {} {version}", sdk.name)));
        }
        None if plugin.bytes.is_some() => facts.push("SDK unknown".to_owned()),
        None => {}
    }
    labelled(out, "plugin", &facts);

    let mut facts = vec![format!("{} on {} {}", host.profile, host.engine, host.engine_version)];
    if let Some(options) = &result.options {
        facts.push(format!("buffer limit {}", format_bytes(options.buffer_limit_bytes as u64)));
    }
    facts.push(plain(&host.cpu));
    labelled(out, "host", &facts);

    let requests = counted(traffic.requests, "request", "requests");
    let mut facts = vec![
        format!("{}: {requests}", plain(&traffic.source)),
        counted(traffic.chunks, "chunk", "chunks"),
        format_bytes(traffic.bytes),
    ];
    if let Some(options) = &result.options {
        for (number, what) in [
            (options.repeat, "repetitions"),
            (options.streams, "streams at once"),
            (options.workers, "workers"),
        ] {
            facts.extend((number > 1).then(|| format!("{number} {what}")));
        }
        facts.extend(options.rate_per_second.map(|rate| format!("{rate} requests a second")));
    }
    labelled(out, "traffic", &facts);
}

/// What became of requests, memory and VMs.
pub(super) fn summary(out: &mut String, result: &ResultFile) {
    let requests = &result.requests;
    let mut facts = vec![
        format!("{} completed", count(requests.completed)),
        counted(requests.local_replies, "local reply", "local replies"),
        format!("{} failed", count(requests.failed)),
    ];
    if let Some(latency) = &requests.latency_ns {
        let [p50, p99, max] = [latency.p50, latency.p99, latency.max].map(duration);
        facts.extend([format!("p50 {p50}"), format!("p99 {p99}"), format!("max {max}")]);
    }
    labelled(out, "requests", &facts);
    labelled(out, "memory", &memory(result));
    labelled(out, "leak", &leak(result));
    let vm = &result.vm;
    let facts = [
        format!("{} created", count(vm.created)),
        counted(vm.rebuilds, "rebuild", "rebuilds"),
        counted(vm.crashes, "crash", "crashes"),
        format!("made in {}", duration(vm.instantiate_ns)),
        format!("configured in {}", duration(vm.configure_ns)),
    ];
    labelled(out, "VM", &facts);
    for (label, phase) in [("request", Phase::RequestBody), ("response", Phase::ResponseBody)] {
        if let Some(costs) = result.phase(phase).filter(|costs| !costs.host_calls.is_empty()) {
            let calls = costs.host_calls.iter();
            let share = |n: u64| share(n, costs.calls);
            let mut facts: Vec<_> =
                calls.map(|(name, n)| format!("{} {}", plain(name), share(*n))).collect();
            if let Some(last) = facts.last_mut() {
                last.push_str(" per chunk");
            }
            labelled(out, label, &facts);
        }
    }
    let aside: Vec<_> = ASIDE.into_iter().filter_map(|phase| in_short(result, phase)).collect();
    labelled(out, "also", &aside);
}

fn memory(result: &ResultFile) -> Vec<String> {
    let heap = &result.heap;
    let pages = |pages: u64| {
        format!(
            "{} ({})",
            counted(pages, "page", "pages"),
            format_bytes(pages.saturating_mul(PAGE))
        )
    };
    let mut facts = vec![pages(heap.pages_initial)];
    if heap.pages_final != heap.pages_initial {
        facts[0] += &format!(" to {}", pages(heap.pages_final));
    }
    if heap.pages_peak > heap.pages_final {
        facts.push(format!("at most {}", pages(heap.pages_peak)));
    }
    if heap.pages_peak == 0 {
        facts = vec!["native, without linear memory".to_owned()];
    }
    let books = [("live", heap.live_bytes), ("peak", heap.live_peak), ("arena", heap.arena_bytes)];
    let books = books.into_iter().filter_map(|(name, bytes)| Some((name, bytes?)));
    facts.extend(books.map(|(name, bytes)| format!("{name} {}", format_bytes(bytes))));
    let workers = result.options.as_ref().map_or(1, |options| options.workers);
    if workers > 1 {
        facts.push("all workers together".to_owned());
        if heap.pages_peak > 0 && result.host.profile == Profile::Envoy.name() {
            facts.push("one VM more in Envoy's main thread".to_owned());
        }
    }
    facts
}

/// What the leak check says; nothing of a run that is too short and was not repeated.
fn leak(result: &ResultFile) -> Vec<String> {
    let Some(leak) = &result.leak else { return Vec::new() };
    let is_repeated = result.options.as_ref().is_some_and(|options| options.repeat > 1);
    let since = format!("requests {} to {}", count(leak.from_request), count(leak.to_request));
    let reason = plain(&leak.reason);
    match leak.verdict {
        Verdict::Flat => vec![format!("none seen: {reason}"), since],
        Verdict::Grows => {
            let mut facts = vec![format!("grows: {reason}"), since];
            if !is_repeated {
                facts.push("unless every request was new to a cache (repeat the trace)".to_owned());
            }
            facts.push("`bench-host heap` shows where".to_owned());
            facts
        }
        _ if leak.live_per_request.is_none() && leak.memory_per_request.is_none() => {
            if is_repeated { vec![format!("cannot tell: {reason}")] } else { Vec::new() }
        }
        _ => vec![format!("cannot tell: {reason}"), since],
    }
}

/// A phase in a few words: calls, and what one costs.
fn in_short(result: &ResultFile, phase: Phase) -> Option<String> {
    let costs = result.phase(phase).filter(|costs| costs.calls > 0)?;
    let cost = match (costs.fuel, &costs.latency_ns) {
        (Some(fuel), _) => format!(" {} fuel", share(fuel.total, costs.calls)),
        (None, Some(latency)) => format!(" {}", duration(latency.p50)),
        (None, None) => String::new(),
    };
    let times = if costs.calls > 1 { format!("{} x ", count(costs.calls)) } else { String::new() };
    Some(format!("{times}{}{cost}", phase.name()))
}

/// Facts behind a label, as many on a line as there is room for.
fn labelled(out: &mut String, label: &str, facts: &[String]) {
    let mut text = format!("{label:<9}");
    for (at, fact) in facts.iter().enumerate() {
        let comma = if at + 1 < facts.len() { "," } else { "" };
        if at > 0 && text.chars().count() + fact.chars().count() + 2 > WIDTH {
            out.push_str(&text);
            out.push('\n');
            text = " ".repeat(9);
        }
        text += &format!(" {fact}{comma}");
    }
    if !facts.is_empty() {
        out.push_str(&text);
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::leak::check;

    fn lines(points: u64, repeat: usize, point: impl Fn(u64) -> (u64, Option<u64>)) -> String {
        let points = (0..points).map(|request| (request, point(request)));
        let points: Vec<_> = points.map(|(at, (pages, live))| (at, pages, live)).collect();
        let mut result = fixture::busy();
        result.leak = Some(check(&points));
        result.options.as_mut().unwrap().repeat = repeat;
        let mut out = String::new();
        labelled(&mut out, "leak", &leak(&result));
        out
    }

    #[test]
    fn the_leak_check_says_how_sure_it_is() {
        let all = [
            lines(400, 4, |n| (3, Some(32 * n))),
            lines(400, 1, |n| (3, Some(32 * n + n % 3))),
            lines(400, 4, |_| (3, Some(7))),
            lines(400, 1, |_| (3, None)),
            lines(5, 2, |_| (3, None)),
        ];
        insta::assert_snapshot!(all.concat(), @"
        leak      grows: 32 bytes of live memory a request, requests 100 to 399,
                  `bench-host heap` shows where
        leak      grows: 32 bytes of live memory a request, requests 100 to 399,
                  unless every request was new to a cache (repeat the trace), `bench-host heap` shows where
        leak      none seen: live memory stays the same, requests 100 to 399
        leak      cannot tell: linear memory stays the same, but only whole pages of 64.0 KiB are known,
                  requests 100 to 399
        leak      cannot tell: too few requests, 42 in one VM are needed: repeat more
        ");
        assert_eq!(lines(5, 1, |_| (3, Some(7))), "");
    }
}
