//! The moderation service.

use chunkwise::call::Client;
use chunkwise::{Error, Result};
use serde::{Deserialize, Serialize};

/// The service, and where it is asked.
#[derive(Debug)]
pub struct Service {
    pub client: Client,
    pub path: String,
}

/// What it is asked.
#[derive(Serialize)]
struct Question<'a> {
    text: &'a str,
}

/// What it answers.
#[derive(Deserialize)]
struct Verdict {
    flagged: bool,
}

impl Service {
    /// Asks about a text.
    ///
    /// # Errors
    /// When there is no answer, or one that says nothing.
    pub async fn is_flagged(&self, text: &str) -> Result<bool> {
        let question = serde_json::to_vec(&Question { text })?;
        let call = self.client.post(&self.path).header("content-type", "application/json");
        let reply = call.body(question).send().await?;
        if !reply.is_success() {
            return Err(Error::Plugin("its status is not 2xx"));
        }
        Ok(reply.json::<Verdict>()?.flagged)
    }
}
