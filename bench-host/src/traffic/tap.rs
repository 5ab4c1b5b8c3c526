//! Output of Envoy's tap filter, read as a stream.

use std::{slice, sync::Arc};

use super::{
    Exchange, TrafficError,
    clock::Instant,
    tap_file::{FileReader, Source},
    tap_notes::Tally,
};

/// A trace of one file or several, which every pass reads anew.
#[derive(Clone, Debug)]
pub(super) struct Tap {
    files: Arc<[Source]>,
    /// When the first request came.
    first: Option<Instant>,
    requests: u64,
}

impl Tap {
    /// Checks all files, and puts them into the order of their requests where those have times;
    /// with the trace come notes for its user.
    pub(super) fn open(files: Vec<Source>) -> Result<(Self, Vec<String>), TrafficError> {
        let mut tally = Tally::default();
        let (mut streams, mut requests) = (0, 0);
        let mut timed = Vec::with_capacity(files.len());
        for file in files {
            let mut reader = FileReader::new(&file);
            let mut first: Option<Instant> = None;
            let before = requests;
            while let Some((origin, recorded)) = reader.next(&file)? {
                streams += 1;
                let received = recorded.request.received;
                if file.exchange(origin, recorded, &mut tally)?.is_some() {
                    requests += 1;
                    first = first.into_iter().chain(received).min();
                }
            }
            if requests > before {
                timed.push((first, file));
            }
        }
        let mut notes = tally.notes(streams);
        if timed.iter().all(|(first, _)| first.is_some()) {
            timed.sort_by_key(|(first, _)| *first);
        } else if timed.len() > 1 {
            notes.push(format!(
                "the {} files are in the order of their names, because not all of them say when \
                 their request came (record_headers_received_time, and streaming: false)",
                timed.len()
            ));
        }
        let first = timed.iter().filter_map(|(first, _)| *first).min();
        let files = timed.into_iter().map(|(_, file)| file).collect();
        Ok((Self { files, first, requests }, notes))
    }

    /// How many exchanges one pass has.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// Starts a pass.
    pub(super) fn read(&self) -> Reader<'_> {
        Reader { tap: self, files: self.files.iter(), current: None }
    }
}

/// One pass over the exchanges; ends after the first error.
pub(super) struct Reader<'a> {
    tap: &'a Tap,
    files: slice::Iter<'a, Source>,
    current: Option<(&'a Source, FileReader)>,
}

impl Reader<'_> {
    fn advance(&mut self) -> Result<Option<Exchange>, TrafficError> {
        loop {
            let Some((file, reader)) = &mut self.current else {
                let Some(file) = self.files.next() else {
                    return Ok(None);
                };
                self.current = Some((file, FileReader::new(file)));
                continue;
            };
            let Some((origin, recorded)) = reader.next(file)? else {
                self.current = None;
                continue;
            };
            let received = recorded.request.received;
            if let Some(exchange) = file.exchange(origin, recorded, &mut Tally::default())? {
                let start = received.zip(self.tap.first).map(|(at, first)| at.since(first));
                return Ok(Some(Exchange { start, ..exchange }));
            }
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Exchange, TrafficError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.files = [].iter();
            self.current = None;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::traffic::{
        Traffic,
        tap_coding::Coding,
        tap_model::{Piece, Trace},
        tap_samples,
    };

    const CODINGS: [Coding; 3] = [Coding::Json, Coding::Binary, Coding::Delimited];

    fn read(traces: &[Trace], coding: Coding) -> Vec<String> {
        let traffic = Traffic::parse("t", tap_samples::file(traces, coding)).unwrap();
        let exchanges: Vec<_> = traffic.exchanges().map(|e| format!("{:?}", e.unwrap())).collect();
        assert_eq!(exchanges.len() as u64, traffic.requests());
        exchanges
    }

    fn segments((id, pieces): &(u64, Vec<Piece>)) -> Vec<Trace> {
        pieces.iter().map(|piece| Trace::Segment { id: *id, piece: piece.clone() }).collect()
    }

    proptest! {
        #[test]
        fn every_encoding_holds_the_same(
            streams in tap_samples::streams(),
            buffered in proptest::collection::vec(tap_samples::buffered(), 0..3),
        ) {
            let mut traces: Vec<_> = streams.iter().flat_map(segments).collect();
            traces.extend(buffered.into_iter().map(|one| Trace::Buffered(Box::new(one))));
            let [json, binary, delimited] = CODINGS.map(|coding| read(&traces, coding));
            prop_assert!(json.len() >= streams.len());
            prop_assert_eq!(&json, &binary);
            prop_assert_eq!(&json, &delimited);
        }

        #[test]
        fn streams_may_be_mixed_in_any_way(
            streams in tap_samples::streams(),
            choices in proptest::collection::vec(any::<prop::sample::Index>(), 0..60),
            coding in prop::sample::select(&CODINGS[..]),
        ) {
            // The first pieces in order, for the order of the exchanges; the rest as it comes.
            let mut rest: Vec<_> = streams.iter().map(|s| segments(s).into_iter()).collect();
            let mut mixed: Vec<_> = Vec::new();
            let mut begun = 0;
            for choice in choices {
                let at = choice.index((begun + 1).min(rest.len()));
                mixed.extend(rest[at].next());
                begun = begun.max(at + 1);
            }
            mixed.extend(rest.into_iter().flatten());
            let apart: Vec<_> = streams.iter().flat_map(segments).collect();
            prop_assert_eq!(read(&mixed, coding), read(&apart, coding));
        }

        #[test]
        fn damage_never_panics(
            streams in tap_samples::streams(),
            coding in prop::sample::select(&CODINGS[..]),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            end in any::<prop::sample::Index>(),
        ) {
            let traces: Vec<_> = streams.iter().flat_map(segments).collect();
            let mut file = tap_samples::file(&traces, coding);
            for (at, byte) in damage {
                let at = at.index(file.len());
                file[at] = byte;
            }
            file.truncate(end.index(file.len()) + 1);
            if let Ok(traffic) = Traffic::parse("t", file) {
                prop_assert!(traffic.exchanges().all(|exchange| exchange.is_ok()));
            }
        }
    }

    #[test]
    fn what_is_lost_is_noted() {
        let trace = |part: &str| format!(r#"{{"http_buffered_trace": {{{part}}}}}"#);
        let request = |path: &str, body: &str| {
            format!(
                r#""request": {{"headers": [{{"key": ":method", "value": "PUT"}},
                {{"key": ":path", "value": "{path}"}}, {{"key": "content-length", "value": "9"}}],
                "body": {{"as_string": "abc", "truncated": {body}}}}}"#
            )
        };
        let content = [
            trace(&request("/a?key=secret", "true")),
            trace(r#""response": {"headers": [{"key": ":status", "value": "400"}]}"#),
            trace(&request("/b", "false")),
        ];
        let traffic = Traffic::parse("t", content.concat().into_bytes()).unwrap();
        assert_eq!(
            traffic.notes(),
            [
                "1 of 3 streams have no headers of a request and are skipped: trace 1",
                "1 of 3 streams have a request body that was cut off by the tap \
                 (max_buffered_rx_bytes) and is replayed as far as it goes: trace 0, PUT :///a?…",
            ]
        );
        let lengths: Vec<_> = traffic
            .exchanges()
            .map(|exchange| exchange.unwrap().request.headers.get("content-length").cloned())
            .collect();
        assert_eq!(lengths, [Some("3".into()), Some("9".into())]);
    }
}
