//! Traces: HAR, JSON lines and output of Envoy's tap filter.

use std::num::NonZeroUsize;

use bench_host::traffic::{Body, Exchange, Headers, Message, Traffic};

/// A chunk length that cuts most bodies.
const CUT: NonZeroUsize = NonZeroUsize::new(7).expect("not zero");

/// A file is a trace or an error of one line that names it. A trace has as many exchanges as it
/// says, the same in every pass, each with what a proxy needs to send it.
pub fn check(data: &[u8]) {
    let traffic = match Traffic::parse("fuzz.trace", data.to_vec()) {
        Ok(traffic) => traffic,
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("traffic file fuzz.trace"), "{text}");
            return;
        }
    };
    let passes: [Vec<Exchange>; 2] = [(); 2].map(|()| {
        traffic.exchanges().collect::<Result<_, _>>().expect("a trace was checked when opened")
    });
    let [first, second] = passes;
    assert_eq!(first.len() as u64, traffic.requests());
    assert!(!first.is_empty(), "a trace without requests was taken");
    for note in traffic.notes() {
        assert!(!note.contains('\n'), "{note}");
    }
    for (one, other) in first.iter().zip(&second) {
        assert_eq!(format!("{one:?}"), format!("{other:?}"), "passes differ");
        message(&one.request, &[":method", ":scheme", ":authority", ":path"]);
        if let Some(response) = &one.response {
            message(response, &[":status"]);
        }
    }
}

fn message(message: &Message, pseudo: &[&str]) {
    for name in pseudo {
        assert!(message.headers.get(name).is_some(), "{name} is missing: {message:?}");
    }
    names(&message.headers, pseudo.len());
    names(&message.trailers, 0);
    let chunks: Vec<_> = message.body.chunks(CUT).collect();
    let length: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    assert_eq!(length, message.body.len());
    assert_eq!(chunks.is_empty(), matches!(message.body, Body::None));
}

/// Names are lower case, and those that begin with a colon come first.
fn names(headers: &Headers, pseudo: usize) {
    for (at, (name, _)) in headers.iter().enumerate() {
        assert!(!name.iter().any(u8::is_ascii_uppercase), "{name:?}");
        assert_eq!(name.starts_with(b":"), at < pseudo, "{headers:?}");
    }
}
