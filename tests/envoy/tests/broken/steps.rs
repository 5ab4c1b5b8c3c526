//! The same in the bench host, step by step, held to what Envoy does.

use std::time::Duration;

use bench_host::host::Direction::{Request, Response};
use bench_host::host::StreamId;
use bench_host::testing::{Outcome, Setup, TestHost};
use serde_json::json;

use crate::asking::{Client, Got};
use crate::expected;
use crate::plugins::{SERVICES, Subject, subjects};
use crate::server::{Fault, SLOW};
use crate::storm::{Case, Went, cases};

/// Longer than a service takes that is not slow.
const A_WHILE: Duration = Duration::from_millis(20);

/// Frames of an answer come so far apart.
const PAUSE: Duration = Duration::from_millis(3);

#[test]
fn the_bench_host_does_as_envoy_does() {
    let subjects = subjects();
    let mut number = 0;
    let mut wrong = Vec::new();
    for subject in &subjects {
        let setup = Setup::new().upstreams(SERVICES).unwrap();
        let mut host = subject.plugin.bench(&setup);
        // What the codec does is not the bench host's affair, and steps are those of HTTP/2.
        let cases = cases(subject).into_iter().filter(|case| case.http2);
        for case in cases.filter(|case| !matches!(case.fault, Fault::Garbage | Fault::Hints)) {
            let outcome = drive(&mut host, &case, subject);
            let Outcome { downstream, details, .. } = outcome;
            let got = Got {
                status: downstream.status(),
                body: downstream.text().into_owned(),
                // Who leaves has not seen the end.
                ended: downstream.ended && case.client != Client::LeavesReading,
            };
            let code = got.status.unwrap_or_default();
            let line = json!({"code": code, "details": details});
            wrong.extend(expected::check(&Went { case, got, line }, &subjects));
            number += 1;
        }
        assert!(host.proxy().open_contexts() == 0, "{}", subject.plugin.name);
    }
    assert!(number > 100, "{number}");
    assert!(wrong.is_empty(), "{} of {number}:\n{}", wrong.len(), wrong.join("\n"));
}

fn drive(host: &mut TestHost, case: &Case, subject: &Subject) -> Outcome {
    let stream = host.open();
    let fields = [
        (":method", "POST"),
        (":authority", "a"),
        (":scheme", "http"),
        (":path", subject.path),
        ("content-type", "application/json"),
        ("x-api-key", "somebody"),
        ("authorization", case.service),
    ];
    host.headers(stream, Request, &fields, false).unwrap();
    let [first, rest] = subject.body;
    host.frame(stream, Request, first, false).unwrap();
    let wait = if case.service == "slow" { 2 * SLOW } else { A_WHILE };
    match case.client {
        Client::LeavesSending => {}
        Client::LeavesWaiting => {
            host.frame(stream, Request, rest, true).unwrap();
            if case.plugin == "moderate" && case.service == "slow" {
                // The answer is there, and what the service says of it is not.
                answer(host, stream, case, subject);
            }
        }
        Client::Stays | Client::SendsHalf | Client::LeavesReading => {
            host.run_for(wait).unwrap();
            let early = case.fault.is_early() && !subject.holds;
            if early {
                assert!(!host.seen(stream, Request).unwrap().headers.is_empty());
                answer(host, stream, case, subject);
            }
            if case.client != Client::SendsHalf {
                // Nobody has it where the stream is over.
                host.frame(stream, Request, rest, true).unwrap();
                host.run_for(wait).unwrap();
            }
            if !early && host.seen(stream, Request).unwrap().ended {
                answer(host, stream, case, subject);
            }
            if case.client != Client::LeavesReading {
                host.run_for(3 * SLOW).unwrap();
            }
        }
    }
    let outcome = host.close(stream).unwrap().unwrap();
    // What comes when the stream has gone.
    host.run_for(3 * SLOW).unwrap();
    outcome
}

/// What the upstream does when it acts.
fn answer(host: &mut TestHost, stream: StreamId, case: &Case, subject: &Subject) {
    match case.fault {
        Fault::CutsRequest | Fault::Silent => return host.upstream_resets(stream).unwrap(),
        Fault::Refuses => {
            let fields = [(":status", "413"), ("content-type", "text/plain")];
            host.headers(stream, Response, &fields, false).unwrap();
            return host.frame(stream, Response, "too long", true).unwrap();
        }
        Fault::Slow => host.run_for(SLOW).unwrap(),
        _ => {}
    }
    let answer = subject.answer(case.service);
    let fields = [(":status", "200"), ("content-type", answer.content_type())];
    host.headers(stream, Response, &fields, false).unwrap();
    let chunks = answer.chunks();
    for (number, chunk) in chunks.iter().enumerate() {
        if number > 0 {
            host.run_for(PAUSE).unwrap();
            match case.fault {
                Fault::CutsBoth | Fault::CutsResponse => {
                    return host.upstream_resets(stream).unwrap();
                }
                _ if case.client == Client::LeavesReading && !is_whole(case) => return,
                _ => {}
            }
        }
        host.frame(stream, Response, chunk, number + 1 == chunks.len()).unwrap();
    }
    if case.client == Client::LeavesReading {
        host.run_for(2 * SLOW).unwrap();
    }
}

/// Whether a client that leaves while it reads has everything by then.
fn is_whole(case: &Case) -> bool {
    case.plugin == "fallback" || (case.plugin == "moderate" && case.service == "slow")
}
