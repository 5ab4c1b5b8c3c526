//! What a sweep sends: requests that are all alike, with bodies of the length that is asked for.

use crate::traffic::{Traffic, TrafficError};

/// The kind of traffic, one of those of `synth:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A text in the request.
    Upload,
    /// A text in the response.
    Download,
    /// A text in both.
    Echo,
    /// A chat request, as JSON.
    Json,
    /// An answer of an LLM, as events.
    Sse,
}

/// Requests for a sweep.
#[derive(Clone, Debug)]
pub struct Load {
    /// Of which kind.
    pub kind: Kind,
    /// Their path, instead of that of the kind.
    pub path: Option<String>,
    /// Header fields that they have beside the usual ones, with names in lower case; those that
    /// are there are replaced.
    pub headers: Vec<(String, String)>,
}

/// Bytes in an event.
const EVENT: u64 = 120;

impl Kind {
    /// As `synth:` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Echo => "echo",
            Self::Json => "json",
            Self::Sse => "sse",
        }
    }
}

impl Load {
    /// So many requests with bodies of `body` bytes; those of events are whole events.
    ///
    /// # Errors
    /// [`TrafficError`] when there is no such body, as of JSON in a few bytes.
    pub fn traffic(&self, body: u64, requests: usize) -> Result<Traffic, TrafficError> {
        let size = match self.kind {
            Kind::Sse => format!("size={EVENT},events={}", (body / EVENT).max(1)),
            _ => format!("size={body}"),
        };
        let traffic = Traffic::open(&format!("synth:{},{size}", self.kind.name()))?;
        traffic.alike(requests, |exchange| {
            let headers = &mut exchange.request.headers;
            if let Some(path) = &self.path {
                headers.replace(":path", path.clone());
            }
            for (name, value) in &self.headers {
                match headers.get(name) {
                    Some(_) => headers.replace(name, value.clone()),
                    None => headers.push(name.clone(), value.clone()),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_as_long_as_was_asked_for_and_go_where_they_should() {
        let load = Load {
            kind: Kind::Json,
            path: Some("/chat".to_owned()),
            headers: vec![("x-tenant".to_owned(), "a".to_owned())],
        };
        let traffic = load.traffic(5_000, 3).unwrap();
        let exchanges: Vec<_> = traffic.exchanges().map(Result::unwrap).collect();
        assert_eq!((exchanges.len(), traffic.requests()), (3, 3));
        for exchange in exchanges {
            let headers = &exchange.request.headers;
            assert_eq!(headers.get(":path").unwrap(), "/chat");
            assert_eq!(headers.get("x-tenant").unwrap(), "a");
            assert_eq!(exchange.request.body.len(), 5_000);
        }
        assert!(load.traffic(1, 1).is_err());
    }

    #[test]
    fn events_are_whole() {
        let load = Load { kind: Kind::Sse, path: None, headers: Vec::new() };
        for (body, length) in [(1_000, 960), (1, 120)] {
            let traffic = load.traffic(body, 1).unwrap();
            let exchange = traffic.exchanges().next().unwrap().unwrap();
            assert_eq!(exchange.response.unwrap().body.len(), length);
        }
    }
}
