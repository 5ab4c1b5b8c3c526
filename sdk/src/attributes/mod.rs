//! Attributes of a request for the access log and for traces.
//!
//! An attribute is a name and a value, such as a user, a model, a number of tokens. They reach the
//! access log as one JSON object, which all plugins of a stream add to, and a trace as one tag
//! each.

mod merge;
mod value;

use std::borrow::Cow;
use std::io::Write as _;

use serde::Serialize;

use crate::abi::host;
use crate::error::Result;
use crate::memory::{Scope, with_scratch};

pub use merge::MergeError;
pub use value::AttributeValue;

/// Where Higress's access log reads attributes: `%FILTER_STATE(wasm.custom_log:PLAIN)%`.
///
/// The name is that of `CustomLogKey` in its Go SDK (`wasm-go`, `pkg/wrapper`).
pub const CUSTOM_LOG: &str = "custom_log";

/// Where Higress's access log reads what AI plugins say: `%FILTER_STATE(wasm.ai_log:PLAIN)%`.
///
/// The name is that of `AILogKey` in its Go SDK (`wasm-go`, `pkg/wrapper`).
pub const AI_LOG: &str = "ai_log";

/// What is in front of a tag's name in its property; `TraceSpanTagPrefix` in the same SDK.
const TRACE_SPAN_TAG: &str = "trace_span_tag.";

/// Attributes of one request, by name.
///
/// ```
/// use chunkwise::attributes::Attributes;
///
/// let mut attributes = Attributes::new();
/// attributes.set("user_id", "12345");
/// attributes.set("tokens", 17_u64);
/// attributes.set_f64("seconds", 0.25)?;
///
/// // What the access log prints between two quotes, behind what was there before.
/// let mut out = Vec::new();
/// attributes.merged(br#"{\"route\":\"chat\"}"#, &mut out)?;
/// let expected = br#"{\"route\":\"chat\",\"seconds\":0.25,\"tokens\":17,\"user_id\":\"12345\"}"#;
/// assert_eq!(out, expected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// Setting one copies its value if that is text, and its name unless that is a literal; a few
/// attributes are compared with and moved. Nothing reaches the host before they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    /// Sorted by name.
    entries: Vec<(Cow<'static, str>, AttributeValue)>,
}

impl Attributes {
    /// No attributes; allocates nothing.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Sets an attribute, in place of one of that name.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<AttributeValue>) {
        self.insert(name.into(), value.into());
    }

    /// Sets an attribute to a float.
    ///
    /// # Errors
    /// [`AttributeError::NotFinite`] for infinities and NaN, which JSON cannot say; the attribute
    /// stays what it was.
    pub fn set_f64(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        number: f64,
    ) -> Result<(), AttributeError> {
        self.insert(name.into(), AttributeValue::from_f64(number)?);
        Ok(())
    }

    /// Sets an attribute to whatever serialises to JSON. A float that is not finite is `null`
    /// there, as everywhere in serde_json.
    ///
    /// # Errors
    /// [`AttributeError::NotJson`] where JSON cannot say it; the attribute stays what it was.
    pub fn set_json(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), AttributeError> {
        self.insert(name.into(), serde_json::to_value(value)?.into());
        Ok(())
    }

    /// The value of an attribute; free.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        let place = self.place(name).ok()?;
        Some(&self.entries[place].1)
    }

    /// Removes an attribute and returns it. What has been written is not taken back.
    pub fn remove(&mut self, name: &str) -> Option<AttributeValue> {
        let place = self.place(name).ok()?;
        Some(self.entries.remove(place).1)
    }

    /// Removes all, and keeps the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// How many there are; free.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none; free.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AttributeValue)> {
        self.entries.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Lays the attributes over those that a stream has, and puts into `out`, which is cleared
    /// first, what is to be written in their place.
    ///
    /// Both are the inside of a JSON string, for a log format that has the quotes and prints it
    /// between them; the string says a JSON object. Its names are sorted, ours win, the values of
    /// others stay as they were written. `existing` is empty where a stream has none.
    ///
    /// Characters are escaped where JSON asks for it and nowhere else: `<`, `>` and `&` stay, and
    /// so does all that is not ASCII. A log is not HTML, and any reader of JSON reads the same.
    ///
    /// # Cost
    /// Allocations for the text and for the names of `existing`, and for a tree of all names.
    ///
    /// # Errors
    /// [`MergeError`] where `existing` is no such value; `out` is empty then.
    pub fn merged(&self, existing: &[u8], out: &mut Vec<u8>) -> Result<(), MergeError> {
        merge::merge(existing, self.iter().map(|(name, value)| (name, value.as_json())), out)
    }

    /// Adds the attributes to what the access log reads from `key`; does nothing if there are
    /// none. A value of other plugins that is no object is replaced, and a warning says so.
    ///
    /// Two host calls: one that reads, one that writes.
    pub(crate) fn write_log(&self, scope: &Scope<'_>, key: &str) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let existing = host::property(scope, key)?.unwrap_or_default();
        with_scratch(|out| {
            if let Err(error) = self.merged_or_alone(existing, out) {
                crate::warn!("{key} is replaced by the attributes of this plugin: {error}");
            }
            host::set_property(key, out)
        })
    }

    /// Makes each attribute a tag of the trace's span: one host call for each. Empty strings are
    /// tags like others.
    ///
    /// Only Higress makes tags of these; other hosts take them for state of the stream, and no
    /// status tells.
    pub(crate) fn write_trace(&self) -> Result<()> {
        self.tags(host::set_property)
    }

    /// Leaves in `out` what is to be written in either case.
    fn merged_or_alone(&self, existing: &[u8], out: &mut Vec<u8>) -> Result<(), MergeError> {
        self.merged(existing, out).inspect_err(|_| {
            self.merged(b"", out).expect("nothing is what a stream has in the beginning");
        })
    }

    /// Gives each tag's property and value.
    fn tags(&self, mut tag: impl FnMut(&str, &[u8]) -> Result<()>) -> Result<()> {
        let mut property = TRACE_SPAN_TAG.to_owned();
        with_scratch(|text| {
            for (name, value) in self.iter() {
                property.truncate(TRACE_SPAN_TAG.len());
                property.push_str(name);
                text.clear();
                // Writing to memory cannot fail.
                let _ = write!(text, "{value}");
                tag(&property, text)?;
            }
            Ok(())
        })
    }

    fn insert(&mut self, name: Cow<'static, str>, value: AttributeValue) {
        match self.place(&name) {
            Ok(place) => self.entries[place].1 = value,
            Err(place) => self.entries.insert(place, (name, value)),
        }
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| other.as_ref().cmp(name))
    }
}

/// A value that no attribute can have. The plugin is at fault, or what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// An infinity or NaN.
    #[error("a number that is infinite or not a number cannot be logged: leave it out")]
    NotFinite,
    /// JSON cannot say it, such as a map whose keys are lists.
    #[error("the value cannot be said in JSON: {0}")]
    NotJson(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests;
