//! Secrets in headers and URLs, taken out before a trace is written.

use std::{borrow::Cow, collections::BTreeSet, str};

use bytes::Bytes;

use super::{
    Exchange, Headers, redact_cookies as cookies, redact_names::is_secret, redact_url::UrlSecrets,
};

/// What stands where a secret was, whatever its length.
pub(super) const REDACTED: &str = "[redacted]";

/// Which header values and query parameters a trace must not hold.
///
/// By default those whose names say that they are secret: credentials and cookies, and whatever is
/// called a token, a key of an API, a password, a signature or the like. Queries, and users and
/// passwords before a host, are searched in `:path` and in all other headers, since any may repeat
/// a URL. Of cookies the names stay and so do the attributes that are no secret, since plugins go
/// by them. Bodies are never searched.
///
/// # Cost
///
/// Each name is looked at once; what is not redacted is not copied.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    kept_headers: BTreeSet<String>,
    redacted_headers: BTreeSet<String>,
    query: UrlSecrets,
}

impl Redaction {
    /// Keeps the values of a header that would be redacted, even by
    /// [`redact_header`](Self::redact_header).
    pub fn keep_header(&mut self, name: &str) {
        self.kept_headers.insert(name.to_ascii_lowercase());
    }

    /// Redacts the values of one more header.
    pub fn redact_header(&mut self, name: &str) {
        self.redacted_headers.insert(name.to_ascii_lowercase());
    }

    /// Keeps the values of a query parameter that would be redacted.
    pub fn keep_query(&mut self, name: &str) {
        self.query.kept.insert(name.to_ascii_lowercase());
    }

    /// Redacts the values of one more query parameter.
    pub fn redact_query(&mut self, name: &str) {
        self.query.redacted.insert(name.to_ascii_lowercase());
    }

    /// Takes the secrets out of headers, trailers and URLs; answers how many values they were.
    pub fn apply(&self, exchange: &mut Exchange) -> u64 {
        let messages = [Some(&mut exchange.request), exchange.response.as_mut()];
        let messages = messages.into_iter().flatten();
        messages.map(|m| self.headers(&mut m.headers) + self.headers(&mut m.trailers)).sum()
    }

    fn headers(&self, headers: &mut Headers) -> u64 {
        let mut count = 0;
        for (name, value) in headers.iter_mut() {
            let Ok(name) = str::from_utf8(name) else { continue };
            let (redacted, secrets) = match self.kind(name) {
                Kind::Plain => continue,
                Kind::Secret => (Bytes::from_static(REDACTED.as_bytes()), 1),
                Kind::Cookies => cookies::of_request(value),
                Kind::SetCookie => cookies::of_response(value),
                Kind::Authority => match value.iter().rposition(|byte| *byte == b'@') {
                    Some(at) => (value.slice(at + 1..), 1),
                    None => continue,
                },
                Kind::Url => match self.query.redact(value, name == "link") {
                    (Cow::Owned(redacted), secrets) => (redacted.into(), secrets),
                    (Cow::Borrowed(_), _) => continue,
                },
            };
            *value = redacted;
            count += secrets;
        }
        count
    }

    fn kind(&self, name: &str) -> Kind {
        if self.kept_headers.contains(name) {
            return Kind::Plain;
        }
        match name {
            "cookie" => Kind::Cookies,
            "set-cookie" => Kind::SetCookie,
            _ if self.redacted_headers.contains(name) => Kind::Secret,
            ":authority" => Kind::Authority,
            ":path" => Kind::Url,
            name if name.starts_with(':') => Kind::Plain,
            name if is_secret(name) => Kind::Secret,
            _ => Kind::Url,
        }
    }
}

/// What there is to find in a header.
enum Kind {
    Plain,
    Secret,
    Cookies,
    SetCookie,
    /// Perhaps a user and a password.
    Authority,
    /// Perhaps URLs.
    Url,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{HttpVersion, Message};

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let owned = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        fields.iter().map(|(name, value)| (owned(name), owned(value))).collect()
    }

    fn redacted(redaction: &Redaction, fields: &[(&str, &str)]) -> (Vec<(String, String)>, u64) {
        let mut exchange = Exchange {
            label: String::new(),
            start: None,
            http: HttpVersion::Http1,
            request: Message { headers: headers(fields), ..Message::default() },
            response: Some(Message { trailers: headers(fields), ..Message::default() }),
        };
        let count = redaction.apply(&mut exchange);
        assert_eq!(exchange.request.headers, exchange.response.unwrap().trailers);
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let fields = exchange.request.headers.iter();
        (fields.map(|(name, value)| (text(name), text(value))).collect(), count / 2)
    }

    #[test]
    fn values_go_and_names_and_places_stay() {
        let (fields, count) = redacted(
            &Redaction::default(),
            &[
                (":path", "/a?q=1&key=K"),
                (":authority", "u:S3CRET@a.example:1"),
                ("authorization", "Bearer S3CRET"),
                ("x-a", "1"),
                ("x-api-key", ""),
                ("cookie", "sid=S3CRET; theme=S3CRET"),
                ("set-cookie", "sid=S3CRET; Path=/; HttpOnly"),
                ("referer", "https://a/?token=S3CRET"),
                ("x-any", "{\"to\":\"http://u:S3CRET@a/\",\"mail\":\"b@c\"}"),
                ("sec-ch-ua", "\"Not?A_Brand\";v=\"8\""),
            ],
        );
        let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            fields,
            [
                (":path", "/a?q=1&key=[redacted]"),
                (":authority", "a.example:1"),
                ("authorization", "[redacted]"),
                ("x-a", "1"),
                ("x-api-key", "[redacted]"),
                ("cookie", "sid=[redacted]; theme=[redacted]"),
                ("set-cookie", "sid=[redacted]; Path=/; HttpOnly"),
                ("referer", "https://a/?token=[redacted]"),
                ("x-any", "{\"to\":\"http://[redacted]@a/\",\"mail\":\"b@c\"}"),
                ("sec-ch-ua", "\"Not?A_Brand\";v=\"8\""),
            ]
        );
        assert_eq!(count, 9);
    }

    #[test]
    fn users_know_better() {
        let mut redaction = Redaction::default();
        redaction.keep_header("Authorization");
        redaction.keep_header("cookie");
        redaction.redact_header("X-Tenant");
        redaction.keep_query("key");
        redaction.redact_query("Tenant");
        let (fields, count) = redacted(
            &redaction,
            &[
                (":path", "/?key=1&tenant=2"),
                ("authorization", "Basic"),
                ("cookie", "a=b"),
                ("x-tenant", "t"),
            ],
        );
        let values: Vec<_> = fields.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["/?key=1&tenant=[redacted]", "Basic", "a=b", "[redacted]"]);
        assert_eq!(count, 2);
    }
}
