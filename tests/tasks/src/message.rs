//! A message with a body in either direction.

use bench_host::testing::{Answer, Call, Outcome, Seen, TestHost};
use chunkwise::http::{BodyAction, BodyMode, HeadersAction};
use chunkwise::{Chunk, Result};

use crate::Script;

/// Which message is worked on, and how it comes.
#[derive(Clone, Debug)]
pub struct Message {
    /// The response, and not the request.
    pub response: bool,
    /// Its body, as it comes.
    pub chunks: Vec<String>,
    /// HTTP/1.1 and not HTTP/2.
    pub http1: bool,
    /// Whether trailers end it.
    pub trailers: bool,
    /// Whether its headers say how long the body is.
    pub content_length: bool,
}

impl Message {
    /// The whole body.
    pub fn whole(&self) -> String {
        self.chunks.concat()
    }

    /// Sends it, with an empty message the other way.
    pub fn send(&self, host: &mut TestHost) -> Outcome {
        let length = self.whole().len().to_string();
        let mut call = Call::post("/");
        if self.http1 {
            call = call.http1();
        }
        if self.response {
            let mut answer = Answer::new(200).chunks(&self.chunks);
            if self.content_length {
                answer = answer.header("content-length", &length);
            }
            if self.trailers {
                answer = answer.trailer("t", "1");
            }
            call = call.answer(answer);
        } else {
            call = call.chunks(&self.chunks);
            if self.content_length {
                call = call.header("content-length", &length);
            }
            if self.trailers {
                call = call.trailer("t", "1");
            }
        }
        host.send(call).unwrap()
    }

    /// What its receiver got of it.
    pub fn seen<'a>(&self, outcome: &'a Outcome) -> &'a Seen {
        if self.response { &outcome.downstream } else { &outcome.upstream }
    }
}

/// A script for one direction.
pub fn on(
    response: bool,
    mode: BodyMode,
    hold: bool,
    body: impl Fn(&mut Chunk<'_>) -> Result<BodyAction> + 'static,
) -> Script {
    let action = move || if hold { HeadersAction::Hold } else { HeadersAction::Continue };
    if response {
        let script = Script::new().response_headers(move |headers| {
            headers.body_mode(mode);
            Ok(action())
        });
        script.response_body(body)
    } else {
        let script = Script::new().request_headers(move |headers| {
            headers.body_mode(mode);
            Ok(action())
        });
        script.request_body(body)
    }
}
