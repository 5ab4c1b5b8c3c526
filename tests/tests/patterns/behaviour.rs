//! What the plugins of the page do, each in a proxy.

/// A module with the plugin of a section, and its tests.
macro_rules! pattern {
    ($name:ident { $($tests:item)* }) => {
        mod $name {
            include!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".rs"));

            $($tests)*
        }
    };
}

pattern!(streaming_body_processing {
    use bench_host::testing::{Call, Setup};

    #[test]
    fn words_are_found_however_they_are_cut() {
        let mut host = Setup::new().native::<Streaming>("").unwrap();
        for chunks in [["an old, old one", ""], ["an ol", "d, old one"], ["an old, o", "ld one"]] {
            for http1 in [true, false] {
                let call = Call::post("/").chunks(chunks);
                let call = if http1 { call.http1() } else { call.trailer("t", "1") };
                assert_eq!(host.send(call).unwrap().upstream.text(), "an new, new one");
            }
        }
        let call = Call::post("/").header("content-length", "3").chunks(["old"]);
        assert_eq!(host.send(call).unwrap().upstream.text(), "new");
    }
});

pattern!(buffered_body_processing {
    use bench_host::testing::{Call, Setup};

    #[test]
    fn a_body_is_changed_as_a_whole() {
        let mut host = Setup::new().native::<Unconfigured<Inject>>("").unwrap();
        let call = || Call::post("/").chunks([r#"{"a""#, ":1}"]);
        for call in [call(), call().trailer("t", "1"), call().header("content-length", "7")] {
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.upstream.text(), r#"{"a":1,"injected":"value"}"#);
            assert_eq!(outcome.upstream.header("content-length"), None);
        }
    }

    #[test]
    fn what_is_no_object_is_refused_and_so_is_nothing() {
        for body in ["[1]", "null", "", "{"] {
            let mut host = Setup::new().native::<Unconfigured<Inject>>("").unwrap();
            let outcome = host.send(Call::post("/").chunks([body])).unwrap();
            assert_eq!(outcome.downstream.header(":status").as_deref(), Some("500"), "{body}");
            let line = &host.log().last().unwrap().message;
            assert!(line.contains("the JSON document is wrong at line 1"), "{line}");
        }
    }
});

pattern!(paused_streamed_response_with_calls {
    use bench_host::testing::{Answer, Call, Setup};

    const CHECKS: &str = r#"
[cluster."outbound|80||checks.dns"]
latency = "2ms"

[[cluster."outbound|80||checks.dns".http]]
match = { body_contains = "bad" }
status = 403

[[cluster."outbound|80||checks.dns".http]]
"#;

    #[test]
    fn chunks_are_checked_in_order() {
        for setup in [Setup::new(), Setup::new().higress()] {
            for http1 in [true, false] {
                let setup = setup.clone().upstreams(CHECKS).unwrap();
                let mut host = setup.native::<Moderated>("").unwrap();
                let answer = Answer::new(200).chunks(["good", "bad", "fine"]);
                let call = Call::get("/").answer(answer);
                let outcome = host.send(if http1 { call.http1() } else { call }).unwrap();
                assert_eq!(outcome.downstream.text(), "good[removed]fine");
                assert!(outcome.downstream.ended);
            }
        }
    }
});

pattern!(route_call {
    use bench_host::testing::{Answer, Call, Setup};

    #[test]
    fn the_upstream_gets_another_request_and_the_client_its_answer() {
        let setup = Setup::new().higress();
        let mut host = setup.native::<Unconfigured<Rewrite, OnHigress>>("").unwrap();
        for answer in [Answer::new(200).body("hi"), Answer::new(204)] {
            let call = Call::post("/path").header("x-custom", "mine").body("body").answer(answer);
            let outcome = host.send(call).unwrap();
            let seen = |name| outcome.upstream.header(name).unwrap().into_owned();
            assert_eq!([seen(":method"), seen(":path")], ["POST", "/modified-path"]);
            assert_eq!([seen("content-type"), seen("x-custom")], ["application/json", "header"]);
            assert_eq!(seen("x-envoy-original-path"), "/path");
            assert_eq!(outcome.upstream.text(), "body");
            let status = outcome.downstream.header(":status").unwrap();
            assert_eq!(outcome.downstream.text(), if status == "204" { "" } else { "hi" });
            assert_eq!(host.log().last().unwrap().message, format!("the upstream answered {status}"));
        }
    }
});

pattern!(periodic_tasks {
    use bench_host::testing::Setup;

    #[test]
    fn both_periods_are_kept() {
        let mut host = Setup::new().native::<Ticks>("").unwrap();
        host.run_for(Duration::from_millis(10_050)).unwrap();
        let log = host.log();
        let count = |what: &str| log.iter().filter(|line| line.message == what).count();
        assert_eq!((count("1s tick"), count("5s tick"), log.len()), (10, 2, 12));
    }
});

pattern!(leader_election {
    use bench_host::testing::{Setup, run_together};

    #[test]
    fn one_of_three_workers_does_it() {
        let setup = Setup::new().workers();
        let mut workers: Vec<_> = (0..3).map(|_| setup.native::<Led>("").unwrap()).collect();
        run_together(&mut workers.iter_mut().collect::<Vec<_>>(), Duration::from_secs(35)).unwrap();
        let done = |host: &mut bench_host::testing::TestHost| {
            host.log().iter().filter(|line| line.message == "leader task").count()
        };
        let mut done: Vec<_> = workers.iter_mut().map(done).collect();
        done.sort_unstable();
        assert_eq!(done, [0, 0, 3]);
    }
});

pattern!(plugin_context_storage {
    use bench_host::testing::{Call, Setup};

    #[test]
    fn all_streams_see_when_the_plugin_began() {
        let mut host = Setup::new().native::<Started>("").unwrap();
        let mut since = || {
            host.run_for(Duration::from_secs(5)).unwrap();
            let outcome = host.send(Call::get("/")).unwrap();
            outcome.upstream.header("x-gateway-since").unwrap().parse::<u64>().unwrap()
        };
        let first = since();
        assert!(first > 0);
        assert_eq!(since(), first);
    }
});

pattern!(settings_by_rule_isolated {
    use bench_host::testing::{Call, Setup};

    #[test]
    fn a_wrong_rule_does_no_harm_and_missing_settings_are_the_global_ones() {
        let configuration = r#"{
            "rate": 7,
            "_rules_": [
                { "rate": 1, "_match_domain_": ["one.example"] },
                { "rate": "x", "_match_domain_": ["wrong.example"] },
                { "_match_domain_": ["global.example"] }
            ]
        }"#;
        let mut host = Setup::new().native::<Isolated>(configuration).unwrap();
        for (domain, rate) in [("one", "1"), ("wrong", "7"), ("global", "7"), ("other", "7")] {
            let call = Call::get("/").authority(&format!("{domain}.example"));
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.upstream.header("x-rate").as_deref(), Some(rate), "{domain}");
        }
        let log: Vec<_> = host.log().iter().map(|line| line.message.as_str()).collect();
        assert!(log.iter().any(|line| line.contains("_rules_[1].rate")), "{log:?}");
    }
});

pattern!(memory {
    use bench_host::testing::{Call, Setup};

    #[test]
    fn a_fresh_vm_is_made_after_ten_thousand_requests() {
        let mut host = Setup::new().higress().native::<Bounded>("").unwrap();
        for _ in 0..10_000 {
            host.send(Call::get("/")).unwrap();
        }
        host.run_for(std::time::Duration::from_secs(2)).unwrap();
        host.send(Call::get("/")).unwrap();
        assert_eq!(host.slot().rebuilds(), 1);
    }
});

pattern!(custom_logging {
    use bench_host::testing::{Call, Setup};

    #[test]
    fn attributes_reach_the_access_log_and_the_trace() {
        let mut host = Setup::new().higress().native::<Unconfigured<Logged, OnHigress>>("").unwrap();
        let outcome = host.send(Call::get("/")).unwrap();
        let logged = r#"{\"request_type\":\"api\",\"user_id\":\"12345\"}"#;
        assert_eq!(outcome.state("custom_log").as_deref(), Some(logged));
        assert_eq!(outcome.span_tag("user_id").as_deref(), Some("12345"));
    }
});

pattern!(keeping_the_route {
    use bench_host::testing::{Call, Setup};

    #[test]
    fn the_path_changes_and_the_route_does_not() {
        let mut host = Setup::new().higress().native::<Unconfigured<KeepRoute>>("").unwrap();
        let outcome = host.send(Call::get("/old")).unwrap();
        assert_eq!(outcome.upstream.header(":path").as_deref(), Some("/new-path"));
        assert_eq!((outcome.keeps_route, outcome.route_clears), (true, 0));
    }

    #[test]
    fn a_stock_host_refuses_by_name() {
        let mut host = Setup::new().native::<Unconfigured<KeepRoute>>("").unwrap();
        assert!(host.send(Call::get("/old")).unwrap().replied_locally);
        let line = &host.log().last().unwrap().message;
        assert!(line.contains("this host has no way to keep a route: Higress has"), "{line}");
    }
});

pattern!(buffer_limits {
    use bench_host::testing::{Call, Setup};

    #[test]
    fn the_last_limit_counts_for_both_directions() {
        let mut host = Setup::new().higress().native::<Unconfigured<Roomy>>("").unwrap();
        let outcome = host.send(Call::get("/")).unwrap();
        assert_eq!(outcome.buffer_limit, 50 * 1024 * 1024);
    }
});

pattern!(header_edits_in_the_body_phase {
    use bench_host::testing::{Answer, Call, Setup};

    #[test]
    fn headers_follow_the_body() {
        let setup = Setup::new().higress();
        let mut host = setup.native::<Unconfigured<Judge, OnHigress>>("").unwrap();
        let answer = Answer::new(500).header("x-old", "1").chunks(["o", "ld"]);
        let outcome = host.send(Call::get("/").answer(answer)).unwrap();
        assert_eq!(outcome.downstream.text(), "a new body");
        let seen = |name| outcome.downstream.header(name).map(|value| value.into_owned());
        assert_eq!(seen(":status").as_deref(), Some("200"));
        assert_eq!((seen("x-judged").as_deref(), seen("x-old")), (Some("yes"), None));
    }
});
