//! HTTP calls that were made, for whoever wants to look at them afterwards.

use std::mem;
use std::time::Duration;

use bytes::Bytes;

use super::HttpCall;

/// An HTTP call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeCall {
    /// The cluster that it went to.
    pub cluster: Vec<u8>,
    /// The headers, pseudo headers included.
    pub headers: Vec<(Bytes, Bytes)>,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<(Bytes, Bytes)>,
    /// How long the plugin waits; `None` is for ever.
    pub timeout: Option<Duration>,
}

/// Calls that were made and that nobody has taken yet.
#[derive(Clone, Debug, Default)]
pub(super) struct MadeCalls {
    calls: Vec<MadeCall>,
    bytes: usize,
}

/// Bytes of calls that are kept. A plugin that never stops calling must not fill the memory.
const MOST: usize = 64 * 1024 * 1024;

/// What a call or a field takes beside its bytes, about.
const OVERHEAD: usize = 128;

impl MadeCalls {
    /// Keeps a copy of a call, while there is room.
    pub fn keep(&mut self, cluster: &[u8], call: &HttpCall<'_>) {
        let fields = call.headers.iter().chain(call.trailers);
        let fields = fields.map(|(name, value)| name.len() + value.len() + OVERHEAD);
        let bytes = OVERHEAD + cluster.len() + call.body.len() + fields.sum::<usize>();
        if bytes > MOST - self.bytes {
            return;
        }
        self.bytes += bytes;
        self.calls.push(MadeCall {
            cluster: cluster.to_vec(),
            headers: call.headers.to_vec(),
            body: call.body.to_vec(),
            trailers: call.trailers.to_vec(),
            timeout: call.timeout,
        });
    }

    /// Takes all of them, in their order.
    pub fn take(&mut self) -> Vec<MadeCall> {
        mem::take(self).calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_until_they_are_taken() {
        let mut calls = MadeCalls::default();
        let body = vec![0; MOST / 3];
        for _ in 0..3 {
            calls.keep(b"auth", &HttpCall { body: &body, ..HttpCall::default() });
        }
        // A small one still has room.
        calls.keep(b"auth", &HttpCall::default());
        assert_eq!(calls.take().len(), 3);
        calls.keep(b"auth", &HttpCall { body: &body, ..HttpCall::default() });
        assert_eq!(calls.take().len(), 1);
    }
}
