//! Replies of a plugin's own and failures, from every callback that can have them.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::RefCell;

use bench_host::engine::native::NativePlugin;
use bench_host::host::{Level, Profile, Settings};
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Outcome, TestHost};
use chunkwise::http::{
    BodyAction, EndedStream, HeadersAction, Reply, RequestHeaders, ResponseHeaders,
};
use chunkwise::http::{Trailers, TrailersAction};
use chunkwise::{Chunk, Config, ConfigError, Error, Filter, OnError, Plugin, Result};

thread_local! {
    /// The callbacks that were made, with what response callbacks saw.
    static CALLED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn called(what: &str) {
    CALLED.with_borrow_mut(|called| called.push(what.to_owned()));
}

/// Replies, or fails, in the callback that its configuration names: `reply request_body`.
struct At<const REFUSE: bool> {
    fail: bool,
    phase: String,
}

struct AtFilter;

impl<const REFUSE: bool> Plugin for At<REFUSE> {
    type Filter = AtFilter;

    const ON_ERROR: OnError = if REFUSE { OnError::Refuse } else { OnError::Continue };

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let text = String::from_utf8_lossy(config.bytes()?).into_owned();
        let (what, phase) = text.split_once(' ').unwrap_or_default();
        Ok(Self { fail: what == "fail", phase: phase.to_owned() })
    }

    fn filter(&self) -> AtFilter {
        AtFilter
    }
}

impl<const REFUSE: bool> At<REFUSE> {
    /// Whether to reply now.
    fn at(&self, phase: &str) -> Result<bool> {
        if self.phase != phase {
            return Ok(false);
        }
        if self.fail { Err(Error::MalformedMap) } else { Ok(true) }
    }
}

fn teapot() -> Reply<'static> {
    let reply = Reply::new(418).details("short and stout").header("x-pot", "1");
    reply.header("x-pot", "2").header("Content-Type", "text/tea").body(b"tea\n")
}

impl<const REFUSE: bool> Filter<At<REFUSE>> for AtFilter {
    fn request_headers(
        &mut self,
        plugin: &At<REFUSE>,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        called("request_headers");
        let reply = plugin.at("request_headers")?;
        Ok(if reply { headers.reply(&teapot())? } else { HeadersAction::Continue })
    }

    fn request_body(&mut self, plugin: &At<REFUSE>, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        called("request_body");
        let reply = plugin.at("request_body")?;
        Ok(if reply { chunk.reply(&teapot())? } else { BodyAction::Pass })
    }

    fn request_trailers(
        &mut self,
        plugin: &At<REFUSE>,
        trailers: &Trailers<'_>,
    ) -> Result<TrailersAction> {
        called("request_trailers");
        let reply = plugin.at("request_trailers")?;
        Ok(if reply { trailers.reply(&teapot())? } else { TrailersAction::Continue })
    }

    fn response_headers(
        &mut self,
        plugin: &At<REFUSE>,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        let status = headers.get(":status")?.unwrap_or_default();
        called(&format!("response_headers {}", String::from_utf8_lossy(status)));
        let reply = plugin.at("response_headers")?;
        Ok(if reply { headers.reply(&teapot())? } else { HeadersAction::Continue })
    }

    fn response_body(&mut self, plugin: &At<REFUSE>, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        called(&format!("response_body {}", String::from_utf8_lossy(chunk.bytes()?)));
        let reply = plugin.at("response_body")?;
        Ok(if reply { chunk.reply(&teapot())? } else { BodyAction::Pass })
    }

    fn response_trailers(
        &mut self,
        plugin: &At<REFUSE>,
        trailers: &Trailers<'_>,
    ) -> Result<TrailersAction> {
        called("response_trailers");
        let reply = plugin.at("response_trailers")?;
        Ok(if reply { trailers.reply(&teapot())? } else { TrailersAction::Continue })
    }

    fn done(&mut self, _: &At<REFUSE>, _: &EndedStream<'_>) {
        called("done");
    }
}

/// Two chunks and trailers each way.
fn send<const REFUSE: bool>(configuration: &str) -> (Outcome, Vec<String>, TestHost) {
    CALLED.take();
    let mut host = TestHost::native::<At<REFUSE>>(configuration).unwrap();
    let answer = Answer::new(200).chunks(["c", "d"]).trailer("x-sum", "2");
    let call = Call::post("/").chunks(["a", "b"]).trailer("x-sum", "1").answer(answer);
    let outcome = host.send(call).unwrap();
    (outcome, CALLED.take(), host)
}

fn assert_teapot(outcome: &Outcome) {
    assert_eq!(outcome.details, "short_and_stout");
    assert!(outcome.replied_locally && !outcome.reset);
    let seen = &outcome.downstream;
    assert!(seen.ended && seen.trailers.is_empty());
    assert_eq!(seen.text(), "tea\n");
    let headers = seen.headers.iter();
    let headers: Vec<_> = headers.map(|(name, value)| (&name[..], &value[..])).collect();
    let expected: [(&[u8], &[u8]); 5] = [
        (b":status", b"418"),
        (b"x-pot", b"1"),
        (b"x-pot", b"2"),
        (b"content-type", b"text/tea"),
        (b"content-length", b"4"),
    ];
    assert_eq!(headers, expected);
}

#[test]
fn a_reply_to_request_headers_spares_the_upstream_and_passes_the_response_callbacks() {
    let (outcome, called, mut host) = send::<true>("reply request_headers");
    assert_teapot(&outcome);
    assert!(outcome.upstream.headers.is_empty());
    let expected = ["request_headers", "response_headers 418", "response_body tea\n", "done"];
    assert_eq!(called, expected);
    let calls = host.ledger().host_calls(Phase::RequestHeaders);
    assert_eq!(calls.into_iter().collect::<Vec<_>>(), [("proxy_send_local_response".into(), 1)]);
    assert_eq!(host.log(), []);
}

#[test]
fn a_reply_to_a_request_body_cuts_the_request_off() {
    let (outcome, called, _) = send::<true>("reply request_body");
    assert_teapot(&outcome);
    assert!(!outcome.upstream.headers.is_empty(), "they had been sent on");
    assert!(outcome.upstream.body.is_empty() && !outcome.upstream.ended);
    let request = ["request_headers", "request_body"];
    assert_eq!(called[..2], request);
    assert_eq!(called[2..], ["response_headers 418", "response_body tea\n", "done"]);
}

#[test]
fn a_reply_to_request_trailers_keeps_them_from_the_upstream() {
    let (outcome, called, _) = send::<true>("reply request_trailers");
    assert_teapot(&outcome);
    assert_eq!(outcome.upstream.text(), "ab");
    assert!(!outcome.upstream.ended && outcome.upstream.trailers.is_empty());
    assert_eq!(called[5..], ["response_headers 418", "response_body tea\n", "done"]);
}

#[test]
fn a_reply_to_response_headers_takes_the_place_of_the_response() {
    let (outcome, called, _) = send::<true>("reply response_headers");
    assert_teapot(&outcome);
    assert_eq!(outcome.upstream.text(), "ab");
    assert_eq!(called[5..], ["response_headers 200", "done"], "it passes no callback again");
}

#[test]
fn a_reply_to_a_response_that_has_begun_resets_the_stream() {
    for phase in ["response_body", "response_trailers"] {
        let (outcome, called, _) = send::<true>(&format!("reply {phase}"));
        assert!(outcome.reset && outcome.replied_locally);
        assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
        assert!(!outcome.downstream.ended && outcome.downstream.trailers.is_empty());
        let last = called[called.len() - 2].split(' ').next();
        assert_eq!((last, &called[called.len() - 1][..]), (Some(phase), "done"));
    }
}

#[test]
fn a_bare_reply_has_neither_body_nor_details_of_its_own() {
    struct Bare;
    struct BareFilter;
    impl Plugin for Bare {
        type Filter = BareFilter;
        fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
            Ok(Self)
        }
        fn filter(&self) -> BareFilter {
            BareFilter
        }
    }
    impl Filter<Bare> for BareFilter {
        fn request_headers(
            &mut self,
            _: &Bare,
            headers: &RequestHeaders<'_>,
        ) -> Result<HeadersAction> {
            headers.reply(&Reply::new(204))
        }
    }
    let settings = Settings { plugin_name: "guard".to_owned(), ..Settings::new(Profile::Envoy) };
    let mut host = TestHost::start(&NativePlugin::<Bare>::new(), settings, "").unwrap();
    let outcome = host.send(Call::post("/").body("ab")).unwrap();
    assert_eq!(outcome.details, "");
    assert_eq!(outcome.downstream.header(":status").unwrap(), "204");
    assert_eq!((outcome.downstream.headers.len(), outcome.downstream.ended), (1, true));
}

#[test]
fn an_error_before_the_response_is_answered_with_500_and_the_filter_is_not_asked_again() {
    let made = [
        ("request_headers", &["request_headers"][..]),
        ("request_body", &["request_headers", "request_body"]),
        ("request_trailers", &["request_headers", "request_body", "request_body"]),
        ("response_headers", &["request_headers", "request_body", "request_body"]),
    ];
    for (phase, begun) in made {
        let (outcome, called, mut host) = send::<true>(&format!("fail {phase}"));
        assert_eq!(outcome.downstream.header(":status").unwrap(), "500", "{phase}");
        assert_eq!(outcome.details, "plugin_error");
        assert!(outcome.replied_locally && outcome.downstream.ended && !outcome.reset);
        assert!(outcome.downstream.body.is_empty());
        assert_eq!(&called[..begun.len()], begun, "{phase}");
        assert!(called.last().unwrap().starts_with(phase), "{phase}: {called:?}");
        assert_logged(&mut host, phase);
    }
}

#[test]
fn an_error_in_a_response_that_has_begun_resets_the_stream() {
    for phase in ["response_body", "response_trailers"] {
        let (outcome, called, mut host) = send::<true>(&format!("fail {phase}"));
        assert!(outcome.reset && !outcome.downstream.ended);
        assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
        assert!(called.last().unwrap().starts_with(phase));
        assert_logged(&mut host, phase);
    }
}

#[test]
fn an_error_of_a_plugin_that_observes_lets_everything_pass() {
    let phases = ["request_headers", "request_body", "request_trailers"];
    for phase in phases.into_iter().chain(["response_headers", "response_body"]) {
        let (outcome, called, mut host) = send::<false>(&format!("fail {phase}"));
        assert_eq!(
            (outcome.upstream.text(), outcome.downstream.text()),
            ("ab".into(), "cd".into())
        );
        assert_eq!((outcome.upstream.trailers.len(), outcome.downstream.trailers.len()), (1, 1));
        assert_eq!(outcome.details, "via_upstream");
        assert!(!outcome.replied_locally && !outcome.reset && outcome.downstream.ended);
        assert!(called.last().unwrap().starts_with(phase), "{phase}: {called:?}");
        assert_logged(&mut host, phase);
    }
}

#[test]
fn an_error_of_one_stream_is_none_of_another() {
    let mut host = TestHost::native::<At<true>>("fail request_body").unwrap();
    let calls = [Call::post("/").body("a"), Call::get("/"), Call::post("/").body("b")];
    let outcomes = host.interleave(calls).unwrap();
    let statuses = outcomes.iter().map(|outcome| outcome.downstream.header(":status").unwrap());
    assert_eq!(statuses.collect::<Vec<_>>(), ["500", "200", "500"]);
    assert_eq!(host.log().len(), 2);
}

/// One line, at error level, that names the phase and says what is wrong.
fn assert_logged(host: &mut TestHost, phase: &str) {
    let [line] = host.log() else { panic!("{:?}", host.log()) };
    assert_eq!(line.level, Level::Error);
    assert_eq!(line.message, format!("{phase}: the host sent a malformed header map"));
}
