//! What an author gets who forgets to hold the headers that the body is to change.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::testing::{Answer, Call, Setup};
use chunkwise::http::BodyAction;
use chunkwise::{Chunk, Config, ConfigError, Error, Filter, Plugin, Result};

/// Sets headers in its body callbacks, and does not hold them.
struct Forgetful;
struct Stream;

impl Plugin for Forgetful {
    type Filter = Stream;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn filter(&self) -> Stream {
        Stream
    }
}

impl Filter<Forgetful> for Stream {
    fn request_body(&mut self, _: &Forgetful, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        assert_eq!(chunk.headers().unwrap_err(), Error::HeadersReleased);
        Ok(BodyAction::Pass)
    }

    fn response_body(&mut self, _: &Forgetful, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        chunk.headers()?.set(":status", "429")?;
        Ok(BodyAction::Pass)
    }
}

#[test]
fn released_headers_are_an_error_that_says_what_to_do() {
    for setup in [Setup::new(), Setup::new().higress()] {
        let mut host = setup.native::<Forgetful>("").unwrap();
        let outcome = host.send(Call::post("/").body("a").answer(Answer::new(200).body("b")));
        assert!(outcome.unwrap().reset, "the response had begun");
        assert_eq!(
            host.log().last().unwrap().message,
            "response_body: the headers have been sent on: their callback has to answer Hold for \
             this"
        );
    }
}
