//! The text that is to be checked, wherever a provider puts it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Where the strings are that count.
#[derive(Debug, Default)]
pub struct Names {
    /// Names of strings, and of lists of them.
    pub fields: Vec<String>,
    /// Names under which every string counts, however deep: arguments that a model made up.
    pub objects: Vec<String>,
}

/// Adds the text of one event's data: all strings under one of the names, at any depth.
///
/// What is not JSON is text as a whole, so that nothing passes for not having been understood;
/// `[DONE]`, with which such streams end, is none.
pub fn collect(data: &[u8], names: &Names, text: &mut String) {
    if data.trim_ascii() == b"[DONE]" {
        return;
    }
    let before = text.len();
    let mut json = serde_json::Deserializer::from_slice(data);
    let collected = Strings { names, text, wanted: false, all: false }.deserialize(&mut json);
    if collected.and_then(|()| json.end()).is_err() {
        text.truncate(before);
        text.push_str(&String::from_utf8_lossy(data));
    }
}

/// The strings in a value. The parser refuses more than 128 levels, so its stack is bounded.
struct Strings<'a> {
    names: &'a Names,
    text: &'a mut String,
    /// The value stands under one of the names.
    wanted: bool,
    /// So does everything in it.
    all: bool,
}

impl Strings<'_> {
    /// For a value inside of this one.
    fn inside(&mut self, wanted: bool, all: bool) -> Strings<'_> {
        Strings { names: self.names, text: &mut *self.text, wanted, all }
    }
}

/// Visits that have no text.
macro_rules! no_text {
    ($($visit:ident: $type:ty),+) => {
        $(fn $visit<E>(self, _: $type) -> Result<(), E> {
            Ok(())
        })+
    };
}

impl<'de> DeserializeSeed<'de> for Strings<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strings<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, string: &str) -> Result<(), E> {
        if self.wanted {
            self.text.push_str(string);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let all = self.all || self.names.objects.contains(&name);
            let wanted = all || self.names.fields.contains(&name);
            map.next_value_seed(self.inside(wanted, all))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let (wanted, all) = (self.wanted, self.all);
        while list.next_element_seed(self.inside(wanted, all))?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    no_text!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
}

/// Whether a text ends where a sentence does.
pub fn ends_a_sentence(text: &str) -> bool {
    text.ends_with('\n') || text.trim_end().ends_with(['.', '!', '?', '。', '！', '？', '…'])
}

/// A text in pieces of at most so many bytes; a character is never cut.
pub fn pieces(text: &str, bytes: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = match rest.floor_char_boundary(bytes) {
            // A character that is longer than a piece is a piece.
            0 => rest.ceil_char_boundary(1),
            end => end,
        };
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data: &str) -> String {
        let mut text = String::from("before ");
        let fields = vec!["content".into(), "text".into()];
        collect(data.as_bytes(), &Names { fields, objects: vec!["input".into()] }, &mut text);
        text.split_off("before ".len())
    }

    #[test]
    fn strings_are_found_wherever_they_stand() {
        assert_eq!(text(r#"{"choices":[{"delta":{"content":"a\nb"}}],"model":"m"}"#), "a\nb");
        assert_eq!(text(r#"{"choices":[{"text":"a"},{"text":"b"}],"usage":{"n":1}}"#), "ab");
        assert_eq!(text(r#"{"content":[{"type":"text","text":"a"},"b",[null,1,"c"]]}"#), "abc");
        assert_eq!(text(r#"{"content":null,"x":{"content":true}}"#), "");
        assert_eq!(text(r#"{"cont\u0065nt":"a"}"#), "a");
    }

    #[test]
    fn all_of_an_object_of_arguments_is_text() {
        let call =
            r#"{"type":"tool_use","name":"n","input":{"to":"a","x":[{"y":["b",1]}]},"id":"i"}"#;
        assert_eq!(text(call), "ab");
        assert_eq!(text(r#"{"input":"a","x":{"to":"b"}}"#), "a");
    }

    #[test]
    fn what_is_not_understood_is_text() {
        for data in ["hello", r#"{"content":"a""#, r#"{"content":"a"} x"#] {
            assert_eq!(text(data), data);
        }
        let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(text(&deep), deep);
        assert_eq!((text(" [DONE]"), text("")), (String::new(), String::new()));
    }

    #[test]
    fn sentences_end_in_several_scripts() {
        for end in ["a.", "a! ", "a?\n", "a\n", "你好。"] {
            assert!(ends_a_sentence(end), "{end:?}");
        }
        for middle in ["", "a", "a, ", ". a"] {
            assert!(!ends_a_sentence(middle), "{middle:?}");
        }
    }

    #[test]
    fn pieces_are_short_and_lose_nothing() {
        for bytes in 1..9 {
            let all: Vec<_> = pieces("añ你🦀b", bytes).collect();
            assert_eq!(all.concat(), "añ你🦀b");
            assert!(all.iter().all(|piece| piece.len() <= bytes.max(4)), "{all:?}");
        }
        assert_eq!(pieces("", 3).count(), 0);
    }
}
