//! The page that says what is tested, written from what the tests observe.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::fs;

use chunkwise_tests::guest::CALLBACKS;
use chunkwise_tests::root;

use super::answers::{self, Tried};
use super::hostile;
use super::imports::{Answer, IMPORTS, Offer};
use super::run::Observed;
use super::script::STATUSES;
use super::tables;

/// Statuses with a column; the others are not answered by any host call.
const COLUMNS: [usize; 9] = [0, 1, 2, 4, 6, 7, 8, 10, 12];

/// Every status that a host call can answer, as far as arguments and phases decide it; of what
/// Higress alone has, on Higress.
const POSSIBLE: [(&str, &[u32]); 51] = [
    ("proxy_log", &[0, 2, 6]),
    ("proxy_get_status", &[0]),
    ("proxy_get_property", &[0, 1, 3, 6]),
    ("proxy_set_property", &[0, 1, 6]),
    ("proxy_send_local_response", &[0, 6]),
    ("proxy_get_shared_data", &[0, 1, 6]),
    ("proxy_set_shared_data", &[0, 6, 8]),
    ("proxy_register_shared_queue", &[0, 6]),
    ("proxy_resolve_shared_queue", &[0, 1, 6]),
    ("proxy_dequeue_shared_queue", &[0, 1, 7]),
    ("proxy_enqueue_shared_queue", &[0, 1, 6]),
    ("proxy_get_header_map_value", &[0, 1, 2, 6]),
    ("proxy_add_header_map_value", &[0, 2, 6]),
    ("proxy_replace_header_map_value", &[0, 2, 6]),
    ("proxy_remove_header_map_value", &[0, 2, 6]),
    ("proxy_get_header_map_pairs", &[0, 2]),
    ("proxy_set_header_map_pairs", &[0, 2, 6]),
    ("proxy_get_header_map_size", &[0, 2]),
    ("proxy_get_buffer_status", &[0, 1, 2]),
    ("proxy_get_buffer_bytes", &[0, 1, 2]),
    ("proxy_set_buffer_bytes", &[0, 1, 2, 6]),
    ("proxy_http_call", &[0, 2, 6]),
    ("proxy_grpc_call", &[0, 4, 6]),
    ("proxy_grpc_stream", &[0, 4, 6]),
    ("proxy_grpc_send", &[0, 1, 2, 6]),
    ("proxy_grpc_close", &[0, 1, 2]),
    ("proxy_grpc_cancel", &[0, 1, 2]),
    ("proxy_set_tick_period_milliseconds", &[0]),
    ("proxy_get_current_time_nanoseconds", &[0]),
    ("proxy_define_metric", &[0, 2, 6]),
    ("proxy_increment_metric", &[0, 1, 2]),
    ("proxy_record_metric", &[0, 1]),
    ("proxy_get_metric", &[0, 1, 2]),
    ("proxy_set_effective_context", &[0, 2]),
    ("proxy_done", &[0, 1]),
    ("proxy_call_foreign_function", &[1, 6]),
    ("proxy_get_configuration", &[0]),
    ("proxy_continue_request", &[0]),
    ("proxy_continue_response", &[0]),
    ("proxy_clear_route_cache", &[0]),
    ("proxy_continue_stream", &[0, 2, 12]),
    ("proxy_close_stream", &[0, 2]),
    ("proxy_get_log_level", &[0]),
    ("proxy_redis_init", &[0, 2, 6, 12]),
    ("proxy_redis_call", &[0, 2, 6, 10, 12]),
    ("proxy_inject_encoded_data_to_filter_chain", &[0, 6, 12]),
    ("proxy_get_upstream_hosts", &[0, 12]),
    ("proxy_set_upstream_override_host", &[0, 6, 12]),
    ("pthread_equal", &[]),
    ("emscripten_notify_memory_growth", &[]),
    ("envoy_resolve_dns", &[12]),
];

#[test]
fn every_status_that_a_host_call_can_answer_is_in_the_tables() {
    let (_, observed) = tables::observe();
    let mut missing = Vec::new();
    for import in &IMPORTS {
        let (_, statuses) = POSSIBLE.iter().find(|(name, _)| *name == import.name).unwrap();
        let of = observed.iter().filter(|seen| seen.import == import.name);
        let seen: BTreeSet<u32> = of.clone().map(|seen| seen.answer).collect();
        if import.result == Answer::Status {
            let wanted: BTreeSet<u32> = statuses.iter().copied().collect();
            if seen != wanted {
                missing.push(format!("{}: observed {seen:?}, possible {wanted:?}", import.name));
            }
        } else if of.count() == 0 {
            missing.push(format!("{}: not called", import.name));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_page_says_what_is_tested() {
    let (scenarios, observed) = tables::observe();
    let page = page(*scenarios, observed, &hostile::try_all(), &answers::try_all());
    let path = root().join("docs/host-calls.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/host-calls.md is not what the tests observe; \
         UPDATE_DOCS=1 cargo test -p chunkwise-tests --test host_calls writes it anew"
    );
}

fn page(
    scenarios: usize,
    observed: &[Observed],
    hostile: &[hostile::Tried],
    tried: &[Tried],
) -> String {
    let variants: usize = hostile.iter().map(|tried| tried.variants).sum();
    let calls = observed.len();
    let statuses: BTreeSet<_> = observed.iter().map(|seen| (seen.import, seen.answer)).collect();
    let mut page = format!(
        "# Host calls\n\n\
         What a plugin is answered, as far as it is tested. This page is written by \
         `tests/tests/host_calls`, whose tables say for each call in which callback it is made, \
         with which arguments, what it answers, what it hands over and what comes of it; the \
         expectations are those of the proxy-wasm C++ host in Envoy and Higress. \
         `UPDATE_DOCS=1 cargo test -p chunkwise-tests --test host_calls` writes it anew.\n\n\
         {scenarios} scenarios, each on a stock Envoy and on Higress where both have what it is \
         about, make {calls} calls of {} imports and observe {} pairs of import and status. \
         {variants} calls more pass addresses, lengths and numbers that no sane guest passes; what \
         is `InvalidMemoryAccess` there is in the table too.\n\n\
         ## Imports\n\n\
         ✓: answered on both hosts. H: on Higress alone. E: on Envoy alone.\n\n",
        IMPORTS.len(),
        statuses.len()
    );
    let columns: Vec<_> = COLUMNS.iter().map(|status| STATUSES[*status]).collect();
    writeln!(page, "| import | {} | scenarios | bad arguments | offered by |", columns.join(" | "))
        .unwrap();
    writeln!(page, "|---|{}---:|---:|---|", ":-:|".repeat(columns.len())).unwrap();
    for import in &IMPORTS {
        let of: Vec<_> = observed.iter().filter(|seen| seen.import == import.name).collect();
        write!(page, "| `{}` |", import.name).unwrap();
        for status in COLUMNS {
            let on = |higress| {
                let is =
                    |seen: &&&Observed| seen.answer as usize == status && seen.higress == higress;
                let refused = || {
                    status == 6
                        && hostile.iter().any(|tried| {
                            tried.import == import.name
                                && tried.higress == higress
                                && tried.answers.contains(&6)
                        })
                };
                import.result == Answer::Status && (of.iter().any(|seen| is(&seen)) || refused())
            };
            let sign = match (on(false), on(true)) {
                (true, true) => "✓",
                (true, false) => "E",
                (false, true) => "H",
                (false, false) => "",
            };
            write!(page, " {sign} |").unwrap();
        }
        let scenarios: BTreeSet<_> = of.iter().map(|seen| seen.scenario).collect();
        let offer = match import.offer {
            Offer::All => "all",
            Offer::Old => "ABI 0.1.0",
            Offer::New => "from ABI 0.2.0",
            Offer::Newer => "from ABI 0.2.1",
            Offer::Higress => "Higress",
        };
        let of = hostile.iter().filter(|tried| tried.import == import.name);
        let variants: usize = of.map(|tried| tried.variants).sum();
        writeln!(page, " {} | {variants} | {offer} |", scenarios.len()).unwrap();
    }
    page.push_str("\nWhat is a number and no status, or nothing, has no sign.\n");
    called_in(&mut page, observed);
    answers(&mut page, tried);
    page
}

fn called_in(page: &mut String, observed: &[Observed]) {
    page.push_str("\n## Where they are called\n\n| import | callbacks |\n|---|---|\n");
    for import in &IMPORTS {
        let made = |callback: &&str| {
            observed.iter().any(|seen| seen.import == import.name && seen.callback == *callback)
        };
        let callbacks: Vec<_> =
            CALLBACKS.iter().map(|(name, ..)| *name).filter(|name| made(name)).collect();
        writeln!(page, "| `{}` | {} |", import.name, callbacks.join(", ")).unwrap();
    }
}

fn answers(page: &mut String, tried: &[Tried]) {
    page.push_str(
        "\n## Callbacks\n\n\
         Each answer of a callback is given under every ABI version and with both ways in which \
         a body ends: on HTTP/1 an empty frame of its own ends it, on HTTP/2 its last frame. \
         Answers beyond the last that the ABI knows mean what the last stop does.\n\n\
         | callback | answers | ABI versions | framings |\n|---|---|---:|---:|\n",
    );
    let mut by_callback: BTreeMap<&str, Vec<&Tried>> = BTreeMap::new();
    for one in tried {
        by_callback.entry(&one.0).or_default().push(one);
    }
    for (callback, tried) in by_callback {
        let answers: BTreeSet<_> = tried.iter().map(|(_, answer, ..)| *answer).collect();
        let answers: Vec<_> = answers.iter().map(ToString::to_string).collect();
        let abis: BTreeSet<_> = tried.iter().map(|(_, _, abi, _)| abi).collect();
        let framings: BTreeSet<_> = tried.iter().map(|(.., http1)| http1).collect();
        writeln!(
            page,
            "| `proxy_on_{callback}` | {} | {} | {} |",
            answers.join(", "),
            abis.len(),
            framings.len()
        )
        .unwrap();
    }
}
