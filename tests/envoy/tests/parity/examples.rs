//! Every example that has a bootstrap for Envoy, with traffic that has each of its features at
//! work.

use std::time::Duration;

use bench_host::testing::Call;
use bench_host::traffic::Exchange;
use envoy_tests::Plan;

use crate::corpus::script;
use crate::made;
use crate::run::{Run, example};

const ALL_AT_ONCE: Duration = Duration::ZERO;

/// Texts that are replaced, wherever they are cut and however long they are.
fn replaces(run: &mut Run) {
    run.corpus("replace");
    let large = vec![
        made::upload("/64-kib", 4096, 16),
        made::upload("/odd-chunks", 7919, 40),
        made::sized_upload("/2-mib", 65536, 32),
        made::download("/2-mib", "text/plain", 65536, 32),
        made::download("/odd-chunks", "text/html", 9973, 50),
        made::many_headers(),
    ];
    run.all("made", &large, ALL_AT_ONCE);
}

#[test]
fn replace() {
    example("replace", |example| {
        example.plan("as it is", &Plan::of("replace"), |run| {
            run.shapes_and_recordings();
            replaces(run);
        });
        let both = Plan::of("replace").edit(r#""replace": "https://""#, r#""replace": """#);
        example.plan("that shortens", &both, replaces);
    });
}

/// It finds only what one frame has as a whole, and frames are not the sender's to choose.
#[test]
fn baseline() {
    example("baseline", |example| {
        example.plan("as it is", &Plan::of("baseline"), |run| {
            run.corpus("any");
            run.corpus("whole");
        });
    });
}

#[test]
fn floor() {
    example("floor", |example| {
        // Frames beyond its memory it leaves alone, so that large bodies depend on their frames.
        example.plan("as it is", &Plan::of("floor"), |run| {
            run.shapes_and_recordings();
            run.corpus("replace");
        });
    });
}

/// As `baseline`.
#[test]
fn adopt_before() {
    example("adopt/before", |example| {
        example.plan("as it is", &Plan::of("adopt/before"), |run| {
            run.corpus("any");
            run.corpus("whole");
        });
    });
}

#[test]
fn adopt_after() {
    example("adopt/after", |example| {
        example.plan("as it is", &Plan::of("adopt/after"), |run| {
            run.shapes_and_recordings();
            replaces(run);
        });
    });
}

#[test]
fn prompt_guard() {
    const PATH: &str = "/v1/chat/completions";
    example("prompt-guard", |example| {
        example.plan("as it is", &Plan::of("prompt-guard"), |run| {
            run.shapes_and_recordings();
            run.corpus("prompt-guard");
            let large = vec![
                made::sized_upload(PATH, 16384, 80),
                made::upload(PATH, 16384, 50),
                made::sized_upload(PATH, 7919, 80),
            ];
            run.all("made", &large, ALL_AT_ONCE);
        });
        // More than the proxy holds over HTTP/1, and less than it holds over HTTP/2.
        let long = Plan::of("prompt-guard").edit("1048576", "4194304");
        example.plan("with more room", &long, |run| {
            let large = vec![
                made::upload(PATH, 16384, 80),
                made::sized_upload(PATH, 65536, 40),
                made::upload(PATH, 99_991, 84),
            ];
            run.all("made", &large, ALL_AT_ONCE);
        });
        let short = Plan::of("prompt-guard").edit("1048576", "1000");
        example.plan("with less room", &short, |run| run.corpus("prompt-guard"));
    });
}

#[test]
fn model_router() {
    example("model-router", |example| {
        example.plan("as it is", &Plan::of("model-router"), |run| {
            run.shapes_and_recordings();
            run.corpus("model-router");
        });
        let strict = Plan::of("model-router").edit(r#""max_bytes": 1048576"#, r#""max_bytes": 30"#);
        example.plan("with less room", &strict, |run| run.corpus("model-router"));
    });
}

#[test]
fn fallback() {
    example("fallback", |example| {
        example.plan("as it is", &Plan::of("fallback"), |run| {
            run.shapes_and_recordings();
            run.corpus("fallback");
            // More than the proxy holds of a response.
            let ask = || Call::post("/ask").body(r#"{"question": "all of it?"}"#);
            let long = |answer: &Exchange| {
                let request = Exchange::from(ask()).request;
                Exchange { request, ..answer.clone() }
            };
            let long = vec![
                long(&made::download("900 KiB", "application/json", 16384, 56)),
                long(&made::download("2 MiB", "application/json", 65536, 32)),
                long(&made::download("2 MiB at once", "text/plain", 2 * 1024 * 1024, 1)),
            ];
            run.all("made", &long, ALL_AT_ONCE);
        });
    });
}

#[test]
fn ext_auth() {
    example("ext-auth", |example| {
        let plan = Plan::of("ext-auth").script(&script("ext-auth")).compare_calls();
        // On a machine that is busy a minute may pass.
        let plan = plan.edit(r#""seconds": 60"#, r#""seconds": 3600"#);
        example.plan("as it is", &plan, |run| {
            run.corpus("ext-auth");
            run.shapes_and_recordings();
        });
        let open = plan.edit(r#""closed""#, r#""open""#);
        example.plan("that fails open", &open, |run| run.corpus("ext-auth"));
        let down = Plan::of("ext-auth").edit(r#""service": "auth""#, r#""service": "nowhere""#);
        example.plan("without its services", &down, |run| run.corpus("ext-auth"));
    });
}

#[test]
fn moderate() {
    example("moderate", |example| {
        let plan = Plan::of("moderate").script(&script("moderate")).compare_calls();
        example.plan("as it is", &plan, |run| {
            run.shapes_and_recordings();
            run.corpus("moderate");
        });
        let open = plan.edit(r#""closed""#, r#""open""#).edit(r#"": 400"#, r#"": 40"#);
        example.plan("that fails open", &open, |run| run.corpus("moderate"));
    });
}

#[test]
fn token_count() {
    example("token-count", |example| {
        example.plan("as it is", &Plan::of("token-count"), |run| {
            run.shapes_and_recordings();
            run.corpus("token-count");
        });
    });
}

#[test]
fn per_domain() {
    example("per-domain", |example| {
        example.plan("as it is", &Plan::of("per-domain"), |run| {
            run.shapes_and_recordings();
            run.corpus("per-domain");
        });
        let route = Plan::of("per-domain").route("default/checkout");
        example.plan("on a route", &route, |run| run.corpus("per-domain"));
        let service = Plan::of("per-domain").cluster("outbound|443||stock.dns");
        example.plan("before a service", &service, |run| run.corpus("per-domain"));
    });
}

#[test]
fn quota() {
    example("quota", |example| {
        let much = Plan::of("quota").edit(r#""burst": 10"#, r#""burst": 1000"#);
        example.plan("with much", &much, |run| {
            run.shapes_and_recordings();
        });
        let few = |plan: Plan| {
            plan.edit(r#""requests": 60"#, r#""requests": 1"#)
                .edit(r#""burst": 10"#, r#""burst": 3"#)
        };
        let shared = few(Plan::of("quota"));
        example.plan("with little, shared", &shared, |run| run.corpus("quota"));
        let alone = shared.edit(r#""x-api-key","#, r#""x-api-key""#).edit(r#""shared": "api""#, "");
        example.plan("with little, by worker", &alone, |run| run.corpus("quota"));
    });
}

#[test]
fn upload_scan() {
    example("upload-scan", |example| {
        example.plan("as it is", &Plan::of("upload-scan"), |run| {
            run.shapes_and_recordings();
            run.corpus("upload-scan");
            let large = vec![
                made::upload("/900-kib", 16384, 56),
                made::sized_upload("/odd-chunks", 7919, 100),
                made::upload("/2-mib", 65536, 32),
                made::sized_upload("/2-mib-sized", 65536, 32),
                made::upload("/8-mib-odd", 99_991, 84),
            ];
            run.all("made", &large, ALL_AT_ONCE);
        });
        let short = Plan::of("upload-scan").edit("67108864", "8");
        example.plan("with less room", &short, |run| run.corpus("upload-scan"));
    });
}

#[test]
fn leaky() {
    example("leaky", |example| {
        example.plan("as it is", &Plan::of("leaky"), |run| run.shapes_and_recordings());
    });
}

#[test]
fn rewrite() {
    example("rewrite", |example| {
        example.plan("as it is", &Plan::of("rewrite"), |run| {
            run.shapes_and_recordings();
            run.corpus("rewrite");
        });
    });
}

#[test]
fn rebuild() {
    example("rebuild", |example| {
        let plan = Plan::of("rebuild").script(&script("rebuild")).compare_calls();
        example.plan("as it is", &plan, |run| {
            run.corpus("rebuild");
            run.shapes_and_recordings();
        });
    });
}

#[test]
fn leader() {
    example("leader", |example| {
        let plan = Plan::of("leader").script(&script("leader"));
        example.plan("as it is", &plan, |run| {
            let probe = made::named("/", Call::get("/").header("x-user", "none"));
            let warm = run.parity().warm_up(&probe, |seen| seen.status() == Some(429));
            warm.unwrap_or_else(|error| panic!("{error}"));
            run.corpus("leader");
            run.shapes_and_recordings();
        });
    });
}

#[test]
fn ticks() {
    example("ticks", |example| {
        let plan = Plan::of("ticks");
        example.plan("as it is", &plan.clone().script(&script("ticks")), |run| {
            run.corpus("ticks");
            run.shapes_and_recordings();
        });
        let refusing = plan.script(&script("ticks-refused"));
        example.plan("that refuses", &refusing, |run| {
            let probe = made::named("/", Call::get("/"));
            let warm = run.parity().warm_up(&probe, |seen| seen.status() == Some(403));
            warm.unwrap_or_else(|error| panic!("{error}"));
            run.corpus("ticks");
        });
    });
}
