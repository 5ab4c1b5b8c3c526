//! What every plugin has to do, in whatever language it is written.

use bench_host::host::{Level, Profile, Settings};
use bench_host::testing::{Answer, Call, Outcome, TestHost};

use crate::build::built;
use crate::languages::Language;

const CONFIGURATION: &str = "{\"greeting\": \"grüß dich\"}";

/// Nanoseconds since the epoch, at the beginning and the end of the year of the host's clock.
const YEAR: std::ops::Range<u64> = 1_767_225_600_000_000_000..1_798_761_600_000_000_000;

/// A host with the plugin; `None`, with a message, where its compiler is not there.
fn host(language: &'static Language) -> Option<TestHost> {
    let built = built(language)?;
    let mut settings = Settings::new(Profile::Envoy);
    settings.adapt_to(&built.module.facts);
    Some(TestHost::start(&built.plugin, settings, CONFIGURATION).unwrap())
}

/// What the plugin has logged, which must not be an error.
fn log(host: &mut TestHost) -> Vec<String> {
    let lines = host.log().iter().map(|line| {
        assert_eq!(line.level, Level::Info, "{}", line.message);
        line.message.clone()
    });
    lines.collect()
}

/// Loads as the command line loads it, and finds its configuration.
pub fn loads(language: &'static Language) {
    let Some(built) = built(language) else { return };
    assert_eq!(built.module.facts.abi, Some(language.abi));
    built.module.facts.loadable().unwrap();
    let foreign: Vec<_> = built
        .module
        .facts
        .imports
        .iter()
        .filter(|import| !import.known)
        .map(|import| format!("{}.{}", import.module, import.name))
        .collect();
    assert!(foreign.is_empty(), "no proxy offers {foreign:?}");

    let mut host = TestHost::wasm(&built.module.path, CONFIGURATION).unwrap();
    assert_eq!(log(&mut host), [format!("configured with: {CONFIGURATION}")]);
}

/// Headers, properties, clocks, randomness, a counter, the access log.
pub fn headers(language: &'static Language) {
    let Some(mut host) = host(language) else { return };
    let answer = Answer::new(404).header("content-length", "4").body("none");
    let call = Call::get("/a?b=c").header("X-Probe", "42").header("x-more", "").answer(answer);
    let outcome = host.send(call).unwrap();
    assert_eq!(outcome.upstream.header("x-foreign").as_deref(), Some(language.name));
    assert_eq!(outcome.upstream.header("x-probe").as_deref(), Some("42"));
    assert_eq!(outcome.downstream.header("x-foreign").as_deref(), Some(language.name));
    assert_eq!(outcome.downstream.header(":status").as_deref(), Some("404"));
    assert_eq!(outcome.downstream.header("content-length"), None);
    host.send(Call::post("/").body("x")).unwrap();

    let log = log(&mut host);
    let [_, request, properties, time, random, requests, done, second @ ..] = &log[..] else {
        panic!("{log:?}");
    };
    assert_eq!(request, "request: 6 headers, x-probe 42");
    assert_eq!(properties, &format!("properties: /a?b=c, {}", language.name));
    assert_eq!(requests, "requests: 1");
    assert_eq!(done, "done: /a?b=c 404");
    let [ours, own] = numbers(time, "time: host ", ", own ");
    assert!(YEAR.contains(&ours) && YEAR.contains(&own), "{time}");
    assert!(ours < own && own - ours < 1_000_000, "one clock for both: {time}");
    let [first, next] = numbers(random, "random: ", ", ");
    assert_ne!(first, next);

    let [request, _, later, fresh, requests, done] = second else { panic!("{log:?}") };
    assert_eq!(request, "request: 4 headers, x-probe absent");
    assert!(numbers(later, "time: host ", ", own ")[0] > own);
    assert_ne!(fresh, random);
    assert_eq!(requests, "requests: 2");
    assert_eq!(done, "done: / 200");
}

fn numbers(line: &str, before: &str, between: &str) -> [u64; 2] {
    let (first, second) = line.strip_prefix(before).unwrap().split_once(between).unwrap();
    [first, second].map(|number| number.parse().unwrap())
}

/// Bodies under several chunkings, with and without a frame of its own for the end.
pub fn bodies(language: &'static Language) {
    let Some(mut host) = host(language) else { return };
    let text = "Grüße, World! z{ 0123 `a\0b";
    let long = text.repeat(10_000);
    let marker = format!("|{}", language.name);
    for (body, chunk) in
        [(text, 1), (text, 7), (text, 1024), (&long[..], 16 * 1024), (&long[..], 1 << 20), ("", 1)]
    {
        for http1 in [false, true] {
            let chunks = || body.as_bytes().chunks(chunk);
            let answer = Answer::new(200).chunks(chunks());
            let mut call = Call::post("/").chunks(chunks()).answer(answer);
            if http1 {
                call = call.http1();
            }
            let outcome = host.send(call).unwrap();
            let place = format!("{} bytes in chunks of {chunk}, HTTP/1: {http1}", body.len());
            assert!(outcome.upstream.ended && outcome.downstream.ended, "{place}");
            assert!(outcome.upstream.body == body.to_ascii_uppercase().as_bytes(), "{place}");
            let marked = outcome.downstream.body.strip_suffix(marker.as_bytes());
            assert!(marked == Some(body.as_bytes()), "{place}");
        }
    }
    // With trailers, no chunk is the last.
    let answer = Answer::new(200).body("a").trailer("x-end", "1");
    let outcome = host.send(Call::post("/").body("b").trailer("x-t", "2").answer(answer)).unwrap();
    assert_eq!((&*outcome.upstream.text(), &*outcome.downstream.text()), ("B", "a"));
    assert_eq!(outcome.downstream.trailers.len(), 1);
    // Without a body there is no callback for it.
    assert_eq!(host.send(Call::get("/")).unwrap().downstream.text(), "");
    log(&mut host);
}

/// Streams whose callbacks alternate.
pub fn streams(language: &'static Language) {
    let Some(mut host) = host(language) else { return };
    let calls = ["one", "two", "three"].map(|name| {
        let path = format!("/{name}");
        let chunks = name.as_bytes().chunks(1);
        Call::post(&path).chunks(chunks.clone()).answer(Answer::new(200).chunks(chunks))
    });
    let outcomes = host.interleave(calls).unwrap();
    for (outcome, name) in outcomes.iter().zip(["one", "two", "three"]) {
        assert_eq!(outcome.upstream.text(), name.to_ascii_uppercase());
        assert_eq!(outcome.downstream.text(), format!("{name}|{}", language.name));
        assert_eq!(outcome.upstream.header(":path").as_deref(), Some(&*format!("/{name}")));
    }
    let log = log(&mut host);
    let done: Vec<_> = log.iter().filter(|line| line.starts_with("done: ")).collect();
    assert_eq!(done, ["done: /one 200", "done: /two 200", "done: /three 200"]);
}

/// A local response, which passes the plugin's own response callbacks as in Envoy.
pub fn denial(language: &'static Language) {
    let Some(mut host) = host(language) else { return };
    for call in [Call::get("/deny"), Call::post("/deny").chunks(["ab", "c"]).http1()] {
        let outcome = host.send(call).unwrap();
        assert!(outcome.replied_locally);
        assert!(is_untouched(&outcome), "nothing goes upstream");
        assert_eq!(outcome.downstream.header(":status").as_deref(), Some("403"));
        assert_eq!(outcome.downstream.header("x-denied-by").as_deref(), Some(language.name));
        assert_eq!(outcome.downstream.header("x-foreign").as_deref(), Some(language.name));
        let text = format!("denied by {0}|{0}", language.name);
        assert_eq!(outcome.downstream.text(), text);
        assert!(outcome.downstream.ended);
    }
    let log = log(&mut host);
    let done: Vec<_> = log.iter().filter(|line| line.starts_with("done: ")).collect();
    assert_eq!(done, ["done: /deny 403"; 2]);
    // The VM goes on.
    assert_eq!(host.send(Call::post("/").body("x")).unwrap().upstream.text(), "X");
}

/// A crash, which ends the callback and leaves word of its reason.
pub fn crash(language: &'static Language) {
    let Some(mut host) = host(language) else { return };
    let fault = host.send(Call::get("/crash")).unwrap_err();
    assert_eq!(fault.callback, "proxy_on_request_headers");
    let errors: Vec<_> = host.log().iter().filter(|line| line.level > Level::Info).collect();
    assert!(errors.iter().any(|line| line.message.contains("crashed on purpose")), "{errors:?}");
}

fn is_untouched(outcome: &Outcome) -> bool {
    outcome.upstream.headers.is_empty() && outcome.upstream.body.is_empty()
}
