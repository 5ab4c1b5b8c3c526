//! An exchange and a script in one line, as failures print them and as they are kept.
//!
//! `2 stops POST >ab|cd+t <200:x|y qh=1;qb=0`: HTTP version, whether `StopIteration` is what it
//! says, method, the request's chunks and trailers, the response's status, chunks and trailers,
//! the script. A message without a body is `>` or `<200:`, an empty chunk is `_`.

use std::fmt;

use bench_host::testing::{Answer, Call};
use bench_host::traffic::{Exchange, HttpVersion};
use envoy_tests::scripted::SCRIPT;

/// What goes through both gateways.
#[derive(Clone)]
pub struct Case {
    pub http: HttpVersion,
    pub stops: bool,
    pub method: String,
    pub request: Shape,
    pub status: u16,
    pub response: Shape,
    pub script: String,
}

/// A body and trailers.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    pub chunks: Vec<String>,
    pub trailers: bool,
}

impl Case {
    /// Reads a line.
    pub fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let [http, stops, method, request, response, script] = words[..] else {
            panic!("a case has six words: {line}")
        };
        let (status, response) = response[1..].split_once(':').unwrap();
        Self {
            http: if http == "1" { HttpVersion::Http1 } else { HttpVersion::Http2 },
            stops: stops == "stops",
            method: method.to_owned(),
            request: Shape::parse(&request[1..]),
            status: status.parse().unwrap(),
            response: Shape::parse(response),
            script: script.to_owned(),
        }
    }

    /// As it is sent.
    pub fn exchange(&self) -> Exchange {
        let mut answer = Answer::new(self.status).header("x-to", "a");
        let mut call = Call::new(&self.method, "/path").header("x-to", "b");
        call = call.header(SCRIPT, &self.script);
        if !self.request.chunks.is_empty() {
            call = call.chunks(self.request.bytes());
        }
        if self.request.trailers {
            call = call.trailer("x-tt", "c");
        }
        if !self.response.chunks.is_empty() {
            answer = answer.chunks(self.response.bytes());
        }
        if self.response.trailers {
            answer = answer.trailer("x-tt", "d");
        }
        let http = self.http;
        Exchange { http, ..Exchange::from(call.answer(answer)) }
    }
}

impl Shape {
    fn parse(text: &str) -> Self {
        let (chunks, trailers) = match text.strip_suffix("+t") {
            Some(chunks) => (chunks, true),
            None => (text, false),
        };
        let chunks = chunks.split('|').filter(|chunk| !chunk.is_empty());
        Self { chunks: chunks.map(str::to_owned).collect(), trailers }
    }

    fn bytes(&self) -> Vec<String> {
        self.chunks.iter().map(|chunk| chunk.replace('_', "")).collect()
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let http = if self.http == HttpVersion::Http1 { 1 } else { 2 };
        let stops = if self.stops { "stops" } else { "converts" };
        let Self { method, request, status, response, script, .. } = self;
        write!(f, "{http} {stops} {method} >{request} <{status}:{response} {script}")
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.chunks.join("|"), if self.trailers { "+t" } else { "" })
    }
}

#[test]
fn a_case_is_read_as_it_is_written() {
    for line in ["2 stops POST >ab|_|cd+t <200:x|y qh=1;qb=0", "1 converts GET > <204: ;"] {
        assert_eq!(format!("{:?}", Case::parse(line)), line);
    }
}
