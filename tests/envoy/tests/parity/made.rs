//! Traffic that is too large to be written down.

use bench_host::testing::{Answer, Call};
use bench_host::traffic::Exchange;

/// A request that uploads so many chunks of this size.
pub fn upload(path: &str, chunk: usize, chunks: usize) -> Exchange {
    let text = text(chunk * chunks);
    let call = Call::post(path).header("content-type", "text/plain").chunks(text.chunks(chunk));
    named(path, call.answer(Answer::new(201)))
}

/// The same with its length.
pub fn sized_upload(path: &str, chunk: usize, chunks: usize) -> Exchange {
    let mut exchange = upload(path, chunk, chunks);
    exchange.request.headers.push("content-length", (chunk * chunks).to_string());
    exchange
}

/// A response that downloads so many chunks of this size.
pub fn download(path: &str, kind: &str, chunk: usize, chunks: usize) -> Exchange {
    let text = text(chunk * chunks);
    let answer = Answer::new(200).header("content-type", kind).chunks(text.chunks(chunk));
    named(path, Call::get(path).answer(answer))
}

/// A request and a response with many headers, and with long ones.
pub fn many_headers() -> Exchange {
    let mut call = Call::get("/many-headers");
    let mut answer = Answer::new(200);
    for number in 0..60 {
        let name = format!("x-number-{number}");
        call = call.header(&name, &"v".repeat(number * 7));
        answer = answer.header(&name, &"w".repeat(number * 5));
    }
    named("/many-headers", call.answer(answer))
}

/// A name for failures.
pub fn named(name: &str, call: Call) -> Exchange {
    Exchange { label: name.to_owned(), ..call.into() }
}

/// Words, with an address in every few hundred bytes that no chunk size divides.
pub fn text(length: usize) -> Vec<u8> {
    let words = b"the lamp was lit at dusk and burned until the keeper came, said http://old/ ";
    words.iter().copied().cycle().take(length).collect()
}
