//! What headers say of a path and of a body's length, and the room that a plugin makes for a body.

use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Setup};
use chunkwise::http::{HeadersAction, RequestHeaders, ResponseHeaders};
use chunkwise::{Filter, Result, Unconfigured};

/// Makes room for the body, and tells the upstream its path and how long it is said to be.
#[derive(Default)]
struct Room;

impl Filter<Unconfigured<Self>> for Room {
    fn request_headers(
        &mut self,
        _: &Unconfigured<Self>,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        headers.set("x-path", headers.path()?.unwrap_or(b"none"))?;
        if let Some(length) = headers.content_length()? {
            headers.set("x-length", length.to_string())?;
        }
        let room = headers.get("x-room")?.map(|room| String::from_utf8_lossy(room).parse());
        if let Some(Ok(room)) = room {
            headers.make_room(room)?;
        }
        Ok(HeadersAction::Continue)
    }

    fn response_headers(
        &mut self,
        _: &Unconfigured<Self>,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        if headers.content_length()? == Some(7) {
            headers.make_room(0)?;
        }
        Ok(HeadersAction::Continue)
    }
}

#[test]
fn a_length_is_a_number_or_none() {
    let mut host = Setup::new().native::<Unconfigured<Room>>("").unwrap();
    for (said, length) in [
        ("0", Some("0")),
        ("18446744073709551615", Some("18446744073709551615")),
        ("18446744073709551616", None),
        ("1, 1", None),
        ("-1", None),
        ("+1", None),
        (" 1", Some("1")),
        ("1 2", None),
        ("", None),
    ] {
        let call = Call::post("/").header("content-length", said).body("x");
        let outcome = host.send(call).unwrap();
        assert_eq!(outcome.upstream.header("x-length").as_deref(), length, "{said:?}");
    }
    let outcome = host.send(Call::post("/").body("x")).unwrap();
    assert_eq!(outcome.upstream.header("x-length"), None);
}

#[test]
fn a_path_has_no_query() {
    let mut host = Setup::new().native::<Unconfigured<Room>>("").unwrap();
    for (path, without) in [("/a/b", "/a/b"), ("/a?b?c", "/a"), ("/?", "/"), ("*", "*"), ("", "")] {
        let outcome = host.send(Call::get(path)).unwrap();
        assert_eq!(outcome.upstream.header("x-path").unwrap(), without);
    }
}

#[test]
fn room_is_made_where_the_host_can() {
    const FRAME: usize = 128 * 1024;
    let mut host = Setup::new().higress().native::<Unconfigured<Room>>("").unwrap();
    for (room, limit) in [(0, FRAME), (1000, 1000 + FRAME), (u32::MAX, u32::MAX as usize)] {
        let outcome = host.send(Call::get("/").header("x-room", &room.to_string())).unwrap();
        assert_eq!(outcome.buffer_limit, limit);
    }
    let outcome = host.send(Call::get("/").answer(Answer::new(200).header("content-length", "7")));
    assert_eq!(outcome.unwrap().buffer_limit, FRAME);
    assert_eq!(host.ledger().host_calls(Phase::ResponseHeaders)["proxy_set_property"], 1);
}

#[test]
fn elsewhere_the_limit_stays_the_operators() {
    let setup = Setup::new().buffer_limit(77);
    let mut host = setup.native::<Unconfigured<Room>>("").unwrap();
    for _ in 0..3 {
        let answer = Answer::new(200).header("content-length", "7");
        let call = Call::get("/").header("x-room", "1000").answer(answer);
        assert_eq!(host.send(call).unwrap().buffer_limit, 77);
    }
    assert!(host.log().is_empty());
    // It was asked once which host it is.
    assert_eq!(host.ledger().host_calls(Phase::RequestHeaders)["proxy_get_property"], 1);
    assert!(!host.ledger().host_calls(Phase::ResponseHeaders).contains_key("proxy_get_property"));
}
