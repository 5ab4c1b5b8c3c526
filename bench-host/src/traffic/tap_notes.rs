//! What a user of Envoy's tap filter should know.

/// How many names a note gives.
const NAMES: usize = 5;

/// Counts what could not be replayed as it happened.
#[derive(Default)]
pub(super) struct Tally {
    /// Streams without headers of a request.
    pub(super) no_request: Count,
    /// Request bodies that were cut off.
    pub(super) request: Count,
    /// Response bodies that were cut off.
    pub(super) response: Count,
}

/// How many exchanges, and what the first of them are called.
#[derive(Default)]
pub(super) struct Count {
    count: u64,
    names: Vec<String>,
}

impl Count {
    pub(super) fn count(&mut self, name: impl FnOnce() -> String) {
        if self.names.len() < NAMES {
            self.names.push(name());
        }
        self.count += 1;
    }

    fn note(&self, of: u64, what: &str) -> Option<String> {
        let Self { count, names } = self;
        let more = match count.saturating_sub(names.len() as u64) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        (*count > 0).then(|| format!("{count} of {of} streams {what}: {}{more}", names.join("; ")))
    }
}

impl Tally {
    /// One sentence for everything that happened in a trace of `of` streams.
    pub(super) fn notes(&self, of: u64) -> Vec<String> {
        let cut =
            |limit| format!("was cut off by the tap ({limit}) and is replayed as far as it goes");
        let request = cut("max_buffered_rx_bytes");
        let response = cut("max_buffered_tx_bytes");
        [
            self.no_request.note(of, "have no headers of a request and are skipped"),
            self.request.note(of, &format!("have a request body that {request}")),
            self.response.note(of, &format!("have a response body that {response}")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_names_are_given_and_the_rest_is_counted() {
        let mut tally = Tally::default();
        for at in 0..7 {
            tally.no_request.count(|| format!("trace {at}"));
        }
        assert_eq!(
            tally.notes(9),
            ["7 of 9 streams have no headers of a request and are skipped: trace 0; trace 1; \
                 trace 2; trace 3; trace 4; and 2 more"]
        );
        assert!(Tally::default().notes(9).is_empty());
    }
}
