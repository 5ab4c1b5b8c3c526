//! Every error that an author can cause: each is caused once, and says who is to mend what.
//!
//! What types forbid is shown beside the types, in documentation tests that do not compile.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bench_host::testing::{Answer, Call, Setup};
use chunkwise::call::{Client, K8sCluster, RouteCluster, TargetCluster};
use chunkwise::http::{
    BodyAction, BodyMode, HeadersAction, Reply, Resume, RouteCall, StreamHandle,
};
use chunkwise::stream::{Events, Lines};
use chunkwise::{Error, Result};
use chunkwise_task_tests::{AUTH, Case, Script, auth};

const ENVOY: Case = Case { higress: false, refuse: true };
const HIGRESS: Case = Case { higress: true, refuse: true };

/// Errors that a script has run into, as their messages.
#[derive(Clone, Default)]
struct Said(Rc<RefCell<Vec<String>>>);

impl Said {
    /// Notes the error of something that has to fail.
    #[track_caller]
    fn note<T>(&self, result: Result<T, impl Into<Error>>) {
        match result {
            Ok(_) => panic!("no error"),
            Err(error) => self.0.borrow_mut().push(error.into().to_string()),
        }
    }

    #[track_caller]
    fn is(&self, messages: &[&str]) {
        assert_eq!(*self.0.borrow(), messages);
    }
}

/// Sends a request with a body in two parts to a plugin that does this with each chunk.
fn with_chunks(call: Call, script: impl FnOnce(Said) -> Script) -> Said {
    let said = Said::default();
    let script = script(said.clone());
    ENVOY.with(AUTH, script).send(call.chunks(["ab", "cd"])).unwrap();
    said
}

#[test]
fn a_body_that_is_not_all_there_or_gone() {
    let said = with_chunks(Call::post("/").http1(), |said| {
        Script::new().request_body(move |chunk| {
            if !chunk.is_last() {
                said.note(chunk.wait(async |_| Ok(Resume::Continue)));
                said.note(chunk.range(1..3));
            }
            Ok(BodyAction::Pass)
        })
    });
    let incomplete = "the whole body is needed, and more of it is to come: hold it, or buffer it";
    let outside = "the plugin asked for 1..3 of a chunk of 2 bytes";
    said.is(&[incomplete, outside, incomplete, outside]);

    let said = with_chunks(Call::post("/").trailer("t", "1"), |said| {
        Script::new().request_body(move |chunk| {
            if chunk.is_last() {
                said.note(chunk.append(b"!"));
            }
            Ok(BodyAction::Pass)
        })
    });
    said.is(&["the body cannot be changed any more: its last chunk has been sent on"]);
}

#[test]
fn headers_that_have_gone_and_a_length_that_went_with_them() {
    let said = with_chunks(Call::post("/").header("content-length", "4"), |said| {
        Script::new()
            .request_headers(|headers| {
                headers.body_mode(BodyMode::Buffer);
                Ok(HeadersAction::Continue)
            })
            .request_body(move |body| {
                said.note(body.headers().map(drop));
                said.note(body.route(&RouteCall::new("GET", "/"), async |_| Ok(Resume::Continue)));
                said.note(body.replace(b"longer"));
                Ok(BodyAction::Pass)
            })
    });
    let released = "the headers have been sent on: their callback has to answer Hold for this";
    said.is(&[
        released,
        released,
        "the body cannot get another length: its content-length has been sent; hold the headers, \
         or remove it from them",
    ]);
}

/// Whoever the text of a header comes from must not write headers of their own.
#[test]
fn headers_that_would_begin_others() {
    let (said, sent) = (Said::default(), Rc::new(Cell::new(false)));
    let (note, noted) = (said.clone(), Rc::clone(&sent));
    let script = Script::new().request_headers(move |headers| {
        note.note(headers.set("x-a", "1\r\nx-admin: 1"));
        note.note(headers.add("x-a", "some text of more than eight bytes\n"));
        note.note(headers.set("x-a\0", "1"));
        note.note(headers.set_all(&[(":path", "/"), ("x-a", "\r")]));
        let reply = Reply::new(302).header("location", "/\r\nset-cookie: a=b");
        note.note(headers.reply::<HeadersAction>(&reply));
        // What was refused has changed nothing.
        headers.where_possible(headers.keep_route())?;
        let (note, noted) = (note.clone(), Rc::clone(&noted));
        Ok(headers.wait(async move |held| {
            note.note(held.set("x-a", "\n"));
            note.note(held.add("x-a\r", ""));
            note.note(held.reply(&Reply::new(200).header("x-a\n", "")));
            held.set("x-a", "tabs\tpass, and so does \u{e9}")?;
            noted.set(true);
            Ok(Resume::Continue)
        }))
    });
    let outcome = ENVOY.start(Setup::new(), script).send(Call::get("/")).unwrap();
    said.is(&["the plugin gave a header with a line break or a NUL in its name or value"; 8]);
    assert!(sent.get() && outcome.upstream.headers.get(b"x-a").is_some());
}

#[test]
fn a_host_that_has_it_not_and_a_route_that_was_left() {
    let said = Said::default();
    let note = said.clone();
    let script = Script::new().request_headers(move |headers| {
        note.note(headers.set_buffer_limit(1));
        headers.set("x-a", "1")?;
        note.note(headers.keep_route());
        note.note(headers.set_property(&["a\0b"], "c"));
        Ok(HeadersAction::Continue)
    });
    ENVOY.start(Setup::new(), script).send(Call::get("/")).unwrap();
    said.is(&[
        "this host has no buffer limits for single requests: Higress has",
        "the route cannot be kept any more: a request header was changed before; keep it first",
        "a property's name has a NUL",
    ]);
}

#[test]
fn data_that_is_not_what_it_is_read_as() {
    let said = Said::default();
    let note = said.clone();
    let script = Script::new().request_headers(move |headers| {
        let path = headers.property(&["request", "path"])?;
        note.note(path.map_or(Ok(0), |path| path.i64()));
        note.note(serde_json::from_str::<u8>("\n 300"));
        note.note(Lines::new(3).push(b"four", |_| Ok::<_, Error>(())));
        note.note(Events::new(3).push(b"data: four\n\n", |_| Ok::<_, Error>(())));
        Ok(HeadersAction::Continue)
    });
    ENVOY.start(Setup::new(), script).send(Call::get("/abc")).unwrap();
    said.is(&[
        "the property has 4 bytes and is not an integer of 8 bytes",
        "the JSON document is wrong at line 2, column 4",
        "the traffic has a line of more than 3 bytes: refuse it or raise the limit",
        "the traffic has an event of more than 3 bytes: refuse it or raise the limit",
    ]);
}

#[test]
fn more_of_a_response_than_may_wait() {
    let script = Script::new().response_headers(|headers| {
        let call = auth().get("/").send();
        Ok(headers.relay(async move |mut body| {
            call.await?;
            while let Some(chunk) = body.next().await {
                body.send(chunk)?;
            }
            Ok(())
        }))
    });
    let mut host = HIGRESS.with(AUTH, script);
    let frames = std::iter::repeat_n(vec![b'x'; 512 * 1024], 10);
    host.send(Call::get("/").answer(Answer::new(200).chunks(frames))).unwrap();
    let log = chunkwise_task_tests::log(&mut host);
    let message = "4718592 bytes of the response wait for the plugin, more than it may queue";
    assert!(log.iter().any(|line| line.contains(message)), "{log:?}");
}

#[test]
fn a_stream_that_has_ended() {
    let said = Said::default();
    let note = said.clone();
    let kept: RefCell<Option<StreamHandle>> = RefCell::default();
    let script = Script::new().request_headers(move |headers| {
        if let Some(before) = kept.replace(Some(headers.handle())) {
            note.note(before.property(&["request", "path"]));
        }
        Ok(HeadersAction::Continue)
    });
    let mut host = ENVOY.start(Setup::new(), script);
    host.send(Call::get("/")).unwrap();
    host.send(Call::get("/")).unwrap();
    said.is(&["the stream has ended"]);
}

/// What a call says that was awaited while a request waited.
fn called(call: impl Fn() -> chunkwise::call::Call + 'static) -> String {
    let said = Said::default();
    let note = said.clone();
    let script = Script::new().request_headers(move |headers| {
        let (note, call) = (note.clone(), call());
        Ok(headers.wait(async move |_| {
            note.note(call.await);
            Ok(Resume::Continue)
        }))
    });
    ENVOY.with(AUTH, script).send(Call::get("/")).unwrap();
    said.0.take().remove(0)
}

#[test]
fn calls_that_cannot_be_made() {
    let client = auth;
    for (message, call) in [
        (
            "the plugin's call has a url that has a scheme other than http and https",
            client().get("ftp://a/b"),
        ),
        (
            "the plugin's call has a method that is empty or has characters no method may have",
            client().request("G T", "/"),
        ),
        (
            "header 2 of the plugin's call has a name that no header may have",
            client().get("/").header("a", "b").header("c d", "e"),
        ),
        (
            "header 1 of the plugin's call has a line break or a NUL in its value",
            client().get("/").header("a", "b\r\nc: d"),
        ),
        (
            "header 1 of the plugin's call is one that the url, the cluster or the proxy sets",
            client().get("/").header(":path", "/other"),
        ),
        (
            "the plugin's call has more headers than a proxy reads (1024, or 1 MiB)",
            client().get("/").header("a", "b".repeat(1024 * 1024)),
        ),
        (
            "the plugin's call has a timeout of zero or above 2147483647 ms",
            client().get("/").timeout(Duration::ZERO),
        ),
        (
            "the k8s cluster's field `service` is missing or empty",
            Client::new(K8sCluster::new("", 80)).get("/"),
        ),
        (
            "the proxy has no cluster of that name, or refuses a header of the call",
            Client::new(TargetCluster::new("unknown", "unknown")).get("/"),
        ),
    ] {
        assert_eq!(called(move || call.clone().send()), message);
    }
}

#[test]
fn a_call_to_the_route_of_a_request_that_has_none() {
    let said = Said::default();
    let note = said.clone();
    let script = Script::new().request_headers(move |headers| {
        let (note, call) = (note.clone(), Client::new(RouteCluster::new()).get("/").send());
        Ok(headers.wait(async move |_| {
            note.note(call.await);
            Ok(Resume::Continue)
        }))
    });
    ENVOY.start(Setup::new().cluster(""), script).send(Call::get("/")).unwrap();
    said.is(&["the request has no route with a cluster to call"]);
}

#[test]
fn time_and_calls_outside_of_a_task() {
    let said = Said::default();
    let note = said.clone();
    let script = Script::new().request_headers(move |_| {
        use futures_util::FutureExt as _;
        let sleep = chunkwise::time::sleep(Duration::from_secs(1));
        note.note(sleep.now_or_never().unwrap());
        note.note(auth().get("/").send().now_or_never().unwrap());
        Ok(HeadersAction::Continue)
    });
    ENVOY.with(AUTH, script).send(Call::get("/")).unwrap();
    said.is(&[
        "time can only be waited for in a task of this plugin",
        "a call has to be awaited in a task of this plugin",
    ]);
}
