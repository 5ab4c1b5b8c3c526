//! What a user of a HAR file should know.

/// Counts what could not be replayed as it happened.
#[derive(Default)]
pub(super) struct Tally {
    /// Entries that never went over HTTP.
    pub(super) local: Count,
    /// Request bodies that were left out.
    pub(super) request: Count,
    /// Response bodies that were left out.
    pub(super) response: Count,
}

/// How many entries, and what the first one is called.
#[derive(Default)]
pub(super) struct Count {
    count: usize,
    first: String,
}

impl Count {
    pub(super) fn count(&mut self, name: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = name();
        }
        self.count += 1;
    }

    fn note(&self, of: usize, what: &str) -> Option<String> {
        let Self { count, first } = self;
        (*count > 0).then(|| format!("{count} of {of} entries {what} (first: {first})"))
    }
}

impl Tally {
    /// One sentence for everything that happened in a file of `of` entries.
    pub(super) fn notes(&self, of: usize) -> Vec<String> {
        let left_out = "was left out by the recorder and is replayed as empty";
        [
            self.local.note(of, "never went over HTTP (data:, blob:…) and are skipped"),
            self.request.note(of, &format!("have a request body that {left_out}")),
            self.response.note(of, &format!("have a response body that {left_out}")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
