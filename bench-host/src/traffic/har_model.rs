//! The part of HAR 1.1 and 1.2 that a replay needs, as lenient as recorders make it necessary.
//!
//! Strings are borrowed from the file unless they hold escapes. Whatever a recorder may leave out
//! or write as null is optional, unknown fields are skipped.

use std::borrow::Cow;

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Har<'a> {
    #[serde(borrow)]
    pub(super) log: Log<'a>,
}

#[derive(Deserialize)]
pub(super) struct Log<'a> {
    #[serde(borrow)]
    pub(super) entries: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry<'a> {
    #[serde(borrow)]
    pub(super) started_date_time: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) request: Option<Request<'a>>,
    #[serde(borrow)]
    pub(super) response: Option<Response<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    pub(super) method: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) http_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) headers: Option<Vec<Field<'a>>>,
    #[serde(borrow)]
    pub(super) post_data: Option<PostData<'a>>,
    pub(super) body_size: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostData<'a> {
    #[serde(borrow)]
    pub(super) mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) params: Option<Vec<Field<'a>>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    /// Not in the standard, but some recorders encode binary bodies as they do for responses.
    #[serde(borrow)]
    pub(super) encoding: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response<'a> {
    pub(super) status: Option<i64>,
    #[serde(borrow)]
    pub(super) http_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) headers: Option<Vec<Field<'a>>>,
    #[serde(borrow)]
    pub(super) content: Option<Content<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Content<'a> {
    pub(super) size: Option<f64>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) encoding: Option<Text<'a>>,
}

/// A header or a form parameter.
#[derive(Deserialize)]
pub(super) struct Field<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) value: Option<Text<'a>>,
}

impl Field<'_> {
    pub(super) fn value(&self) -> &str {
        text(&self.value)
    }
}

/// A string that is borrowed where it can be, also inside an `Option`.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The text, empty when there is none.
pub(super) fn text<'a>(text: &'a Option<Text<'_>>) -> &'a str {
    text.as_ref().map_or("", |text| &text.0)
}
