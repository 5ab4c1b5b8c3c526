//! Refuses uploads that contain a signature, before the upstream sees any of their bytes.
//!
//! The host holds the upload; the plugin looks through it in one window of memory.

#![deny(unsafe_code)]

use chunkwise::http::{BodyAction, BodyMode, HeadersAction, Reply, RequestHeaders};
use chunkwise::stream::Finder;
use chunkwise::{Chunk, Config, ConfigError, Filter, Plugin, Result};
use serde::Deserialize;

chunkwise::plugin!(UploadScan);

/// Bytes that are looked at together.
const WINDOW: usize = 64 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    signatures: Vec<Signature>,
    max_bytes: u32,
}

/// What is looked for; the name is for the log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    name: String,
    /// Two digits a byte.
    hex: String,
}

impl Signature {
    fn bytes(&self) -> Option<Vec<u8>> {
        let digits = self.hex.as_bytes();
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let pair = |pair: &[u8]| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        };
        digits.chunks(2).map(pair).collect()
    }
}

/// The plugin with its configuration.
#[derive(Debug)]
pub struct UploadScan {
    finder: Finder,
    names: Vec<String>,
    max_bytes: u32,
}

impl Plugin for UploadScan {
    type Filter = Scan;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let Settings { signatures, max_bytes } = config.parse()?;
        if max_bytes == 0 {
            return Err(ConfigError::invalid("max_bytes", "0 lets nothing through"));
        }
        let mut needles = Vec::with_capacity(signatures.len());
        for (number, signature) in signatures.iter().enumerate() {
            let field = || format!("signatures[{number}].hex");
            let bytes = signature.bytes();
            needles.push(bytes.ok_or_else(|| {
                ConfigError::invalid(field(), "it is not a list of bytes, two digits each")
            })?);
        }
        let finder =
            Finder::new(needles).map_err(|error| ConfigError::invalid("signatures", error))?;
        let names = signatures.into_iter().map(|signature| signature.name).collect();
        Ok(Self { finder, names, max_bytes })
    }

    fn filter(&self) -> Scan {
        Scan
    }
}

impl UploadScan {
    /// The name of a signature that the body contains.
    fn found(&self, body: &mut Chunk<'_>) -> Result<Option<&str>> {
        let mut find = self.finder.stream();
        let mut windows = body.windows(WINDOW)?;
        while let Some(window) = windows.next()? {
            if let Some(signature) = find.feed(window) {
                return Ok(self.names.get(signature).map(String::as_str));
            }
        }
        Ok(None)
    }
}

/// One stream; its body waits in the host.
#[derive(Debug)]
pub struct Scan;

impl Filter<UploadScan> for Scan {
    const REQUEST_BODY: BodyMode = BodyMode::Buffer;

    fn request_headers(
        &mut self,
        plugin: &UploadScan,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        if !headers.has_body() {
            return Ok(HeadersAction::Detach);
        }
        // Nothing would be found in it, so it does not pass either.
        if headers.content_encoding()?.is_some() {
            return Ok(headers.reply(&refusal(415, "uploads must not be encoded\n"))?.into());
        }
        if headers.content_length()?.is_some_and(|length| length > plugin.max_bytes.into()) {
            return Ok(headers.reply(&refusal(413, TOO_LARGE))?.into());
        }
        // Elsewhere uploads may be as large as the proxy buffers.
        headers.where_possible(headers.set_buffer_limit(plugin.max_bytes))?;
        Ok(HeadersAction::Continue)
    }

    fn request_body(&mut self, plugin: &UploadScan, body: &mut Chunk<'_>) -> Result<BodyAction> {
        // Where the host has a limit of its own.
        if body.len() > plugin.max_bytes as usize {
            return Ok(body.reply(&refusal(413, TOO_LARGE))?.into());
        }
        let Some(name) = plugin.found(body)? else { return Ok(BodyAction::Pass) };
        chunkwise::warn!("upload refused: it contains {name}");
        Ok(body.reply(&refusal(422, "the upload was refused\n"))?.into())
    }
}

const TOO_LARGE: &str = "the upload is too large\n";

fn refusal(status: u16, message: &'static str) -> Reply<'static> {
    Reply::new(status)
        .header("content-type", "text/plain")
        .body(message.as_bytes())
        .details("upload_scan")
}
