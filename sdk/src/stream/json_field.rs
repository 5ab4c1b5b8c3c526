//! One value of a JSON document, without a tree of the rest.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A value in a JSON document, borrowed as it is written there.
///
/// For looking up a few values in a body or in an event's data. To read most of a document,
/// deserialise it into a type of its own.
///
/// ```
/// use chunkwise::stream::RawJson;
///
/// let body = br#"{"model":"m","choices":[{"text":"a\nb"}],"usage":{"total_tokens":17}}"#;
/// let tokens = RawJson::find(body, &["usage", "total_tokens"]);
/// assert_eq!(tokens.and_then(|value| value.as_u64()), Some(17));
///
/// let text = RawJson::find(body, &["choices", "0", "text"]).unwrap();
/// assert_eq!((text.raw(), text.as_str().unwrap()), (r#""a\nb""#, "a\nb".into()));
///
/// let paths: [&[&str]; 2] = [&["usageMetadata", "totalTokenCount"], &["usage", "total_tokens"]];
/// assert_eq!(RawJson::find_first(body, &paths), tokens);
/// assert_eq!(RawJson::find(b"[DONE]", &["usage"]), None);
/// ```
///
/// It is also a type for the fields of one's own types, where a value is to be kept as written:
///
/// ```
/// use chunkwise::stream::RawJson;
///
/// #[derive(serde::Deserialize)]
/// struct Request<'a> {
///     model: &'a str,
///     #[serde(borrow)]
///     messages: RawJson<'a>,
/// }
///
/// let request: Request<'_> = serde_json::from_str(r#"{"model": "m", "messages": [ 1 ]}"#)?;
/// assert_eq!((request.model, request.messages.raw()), ("m", "[ 1 ]"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawJson<'a>(&'a str);

impl<'a> RawJson<'a> {
    /// The value at the end of a path of names, and of positions in lists, counted from zero.
    ///
    /// `None` where there is none, and where the document is not JSON: it is checked to its end.
    /// Of two fields of one name the last counts, as for most readers. An empty path is the whole
    /// document.
    ///
    /// Strings that are passed over need not be UTF-8, so that a text that was cut in a character
    /// does not hide what stands beside it, and so need not names inside of what is passed over.
    /// What is found is checked: an empty path checks all of the document.
    ///
    /// # Cost
    /// One pass through the document. It allocates only for strings with escapes on the way, for a
    /// document that is not JSON, and for values that are nested in others by more than one level:
    /// one byte for each level. The stack grows with the path and never with the document.
    pub fn find(json: &'a [u8], path: &[&str]) -> Option<Self> {
        let mut json = serde_json::Deserializer::from_slice(json);
        let found = Walk(path).deserialize(&mut json).ok()?;
        json.end().ok()?;
        found.map(|value| Self(value.get()))
    }

    /// The value at the first of several paths that leads to one; see [`find`](Self::find).
    ///
    /// # Cost
    /// One pass through the document for each path that is tried.
    pub fn find_first(json: &'a [u8], paths: &[&[&str]]) -> Option<Self> {
        paths.iter().find_map(|path| Self::find(json, path))
    }

    /// The value as it is written; free.
    pub fn raw(&self) -> &'a str {
        self.0
    }

    /// Where the value stands in the document that it was found in, so that bytes can be put in
    /// front of it, into it or in its place without the rest being written again; `None` for
    /// another document. Free.
    ///
    /// ```
    /// use chunkwise::stream::RawJson;
    ///
    /// let body = br#"{"list": [1]}"#;
    /// let list = RawJson::find(body, &["list"]).unwrap();
    /// assert_eq!(list.range_in(body), Some(9..12));
    /// ```
    pub fn range_in(&self, json: &[u8]) -> Option<Range<usize>> {
        // Both are addresses of one piece of memory, or the value is from elsewhere.
        let start = self.0.as_ptr().addr().checked_sub(json.as_ptr().addr())?;
        let range = start..start.checked_add(self.0.len())?;
        (range.end <= json.len()).then_some(range)
    }

    /// How deep objects and lists are nested: 0 for a string, 1 for a list of numbers. For limits
    /// on what strangers send to a reader that recurses.
    ///
    /// # Cost
    /// One pass through the value; nothing is allocated.
    pub fn depth(&self) -> usize {
        let (mut depth, mut deepest) = (0_usize, 0);
        let (mut quoted, mut escaped) = (false, false);
        for byte in self.0.bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        deepest
    }

    /// The text of a string; `None` for everything else, and for an escape that is no character.
    /// Allocates if there are escapes.
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        let text = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if text.contains('\\') {
            return serde_json::from_str(self.0).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(text))
    }

    /// The number, if it is an integer from 0 to 2^64 - 1 written without a fraction.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// The number, if it is an integer from -2^63 to 2^63 - 1 written without a fraction.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The float that is nearest to the number; `None` for one that is too large for a float.
    pub fn as_f64(&self) -> Option<f64> {
        self.0.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The truth of `true` and `false`.
    pub fn as_bool(&self) -> Option<bool> {
        self.0.parse().ok()
    }

    /// Whether it is `null`, which is not the same as not being there.
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawJson<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(json).map(|value| Self(value.get()))
    }
}

/// Goes along a path; what is not on it is only checked, by a loop and not by recursion: bodies
/// come from strangers, and a guest's stack is small.
struct Walk<'p>(&'p [&'p str]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            return <&RawValue>::deserialize(json).map(Some);
        }
        json.deserialize_any(self)
    }
}

/// A path goes on only in objects and lists.
macro_rules! nothing_in {
    ($($method:ident: $type:ty),+) => {
        $(fn $method<E: Error>(self, _: $type) -> Result<Self::Value, E> {
            Ok(None)
        })+
    };
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((name, path)) = self.0.split_first() else { return Ok(None) };
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(Is(name))? {
            if is_it {
                found = map.next_value_seed(Walk(path))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let Some((place, path)) = self.0.split_first() else { return Ok(None) };
        let mut found = None;
        if let Some(place) = position(place) {
            let mut before = 0;
            while before < place && list.next_element::<IgnoredAny>()?.is_some() {
                before += 1;
            }
            // Behind the end of a list there is nothing, however often one asks.
            found = list.next_element_seed(Walk(path))?.flatten();
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    nothing_in!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
}

/// A position as JSON writes it: no sign, no zeros in front.
fn position(text: &str) -> Option<usize> {
    let canonical = text == "0" || text.starts_with(|first: char| matches!(first, '1'..='9'));
    text.parse().ok().filter(|_| canonical)
}

/// Compares a name without copying it.
struct Is<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<bool, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(json: &'a str, path: &[&str]) -> Option<&'a str> {
        RawJson::find(json.as_bytes(), path).map(|value| value.raw())
    }

    #[test]
    fn a_path_leads_through_objects_and_lists() {
        let json = r#" {"a": [1, {"b": [ 2 ]}], "c\n": {"": null}, "d": "a"} "#;
        assert_eq!(found(json, &["a", "1", "b"]), Some("[ 2 ]"));
        assert_eq!(found(json, &["a", "1", "b", "0"]), Some("2"));
        assert_eq!(found(json, &["c\n", ""]), Some("null"));
        assert_eq!(found(json, &[]), Some(json.trim()));
        for path in [&["b"][..], &["a", "2"], &["a", "01"], &["a", "+1"], &["d", "a"], &["d", "0"]]
        {
            assert_eq!(found(json, path), None, "{path:?}");
        }
    }

    #[test]
    fn the_last_of_two_counts() {
        assert_eq!(found(r#"{"a":1,"a":2}"#, &["a"]), Some("2"));
        assert_eq!(found(r#"{"a":{"b":1},"a":2}"#, &["a", "b"]), None);
    }

    #[test]
    fn what_is_not_json_has_no_values() {
        for json in ["", "[DONE]", r#"{"a":1"#, r#"{"a":1}}"#, r#"{"a":1,}"#, r#"{"a":1,"b":[}}"#] {
            assert_eq!(found(json, &["a"]), None, "{json}");
        }
        assert_eq!(RawJson::find(b"{\"a\":\"\xff\"}", &["a"]), None);
    }

    #[test]
    fn a_string_that_is_passed_over_need_not_be_utf8() {
        let json = b"{\"a\":1,\"b\":[\"\xff\"],\"c\":{\"\xff\":1}}";
        assert_eq!(RawJson::find(json, &["a"]).map(|value| value.raw()), Some("1"));
        for path in [&[][..], &["b"], &["b", "0"], &["c"]] {
            assert_eq!(RawJson::find(json, path), None, "{path:?}");
        }
        assert_eq!(RawJson::find(b"{\"a\":1,\"\xff\":2}", &["a"]), None, "a name");
    }

    #[test]
    fn depth_is_no_danger() {
        let depth = 100_000;
        let deep = format!(r#"{{"x":{}{},"a":1}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(found(&deep, &["a"]), Some("1"));
        assert_eq!(found(&deep, &["x"]).map(str::len), Some(2 * depth));
    }

    #[test]
    fn a_value_knows_its_place() {
        let json = r#" {"a": [1, {"b": [ 2 ]}]} "#;
        let value = RawJson::find(json.as_bytes(), &["a", "1", "b"]).unwrap();
        assert_eq!(&json[value.range_in(json.as_bytes()).unwrap()], "[ 2 ]");
        assert_eq!(value.range_in(&json.as_bytes()[..20]), None, "it is only a part of that");
        assert_eq!(value.range_in(&json.as_bytes()[20..]), None);
    }

    #[test]
    fn depth_counts_what_is_open_at_once() {
        let depth = |json: &str| RawJson::find(json.as_bytes(), &[]).unwrap().depth();
        assert_eq!((depth("1"), depth(r#""[[""#), depth("[]"), depth("[[],{}]")), (0, 0, 1, 2));
        assert_eq!(depth(r#"{"a\"[": [1, "\\", {"b": "]"}]}"#), 3);
    }

    #[test]
    fn a_value_has_one_type() {
        let value = |json: &'static str| RawJson::find(json.as_bytes(), &[]).unwrap();
        assert_eq!(value(r#""\"\ud83e\udd80\"""#).as_str().as_deref(), Some("\"\u{1f980}\""));
        assert_eq!(value(r#""\ud83e""#).as_str(), None);
        assert_eq!((value("17").as_u64(), value("-17").as_u64()), (Some(17), None));
        assert_eq!((value("-17").as_i64(), value("1.0").as_i64()), (Some(-17), None));
        assert_eq!((value("1e-1").as_f64(), value("1e999").as_f64()), (Some(0.1), None));
        assert_eq!((value("true").as_bool(), value("1").as_bool()), (Some(true), None));
        assert!(value("null").is_null() && !value("0").is_null());
        let other = value(r#"["17"]"#);
        assert_eq!((other.as_str(), other.as_u64(), other.as_f64()), (None, None, None));
    }
}
