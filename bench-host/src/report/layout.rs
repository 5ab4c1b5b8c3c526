//! How result files are laid out: indented, but lists within lists on one line.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// The JSON of something that has only strings as keys.
pub(crate) fn json(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let layout = Layout { pretty: PrettyFormatter::new(), lists: 0 };
    let mut serializer = Serializer::with_formatter(&mut bytes, layout);
    value.serialize(&mut serializer).expect("keys are strings, and memory takes every write");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// A timeline has hundreds of points, which would fill a screen each if they were indented.
struct Layout {
    pretty: PrettyFormatter<'static>,
    lists: usize,
}

impl Layout {
    /// Whether what is written now lies in a list within a list.
    fn is_inner(&self) -> bool {
        self.lists > 1
    }
}

/// Writes with one formatter or the other.
macro_rules! by_depth {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<W: ?Sized + Write>(&mut self, to: &mut W, $($argument: $type),*) -> io::Result<()> {
            if self.is_inner() {
                CompactFormatter.$method(to, $($argument),*)
            } else {
                self.pretty.$method(to, $($argument),*)
            }
        }
    )*};
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.lists += 1;
        if self.is_inner() { CompactFormatter.begin_array(to) } else { self.pretty.begin_array(to) }
    }

    fn end_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        let inner = self.is_inner();
        self.lists -= 1;
        if inner { CompactFormatter.end_array(to) } else { self.pretty.end_array(to) }
    }

    by_depth! {
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        begin_object_value();
        end_object_value();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn lists_within_lists_stay_on_a_line() {
        let value =
            BTreeMap::from([("empty", vec![]), ("lists", vec![vec![1, 2], vec![], vec![3]])]);
        insta::assert_snapshot!(json(&value), @r#"
        {
          "empty": [],
          "lists": [
            [1,2],
            [],
            [3]
          ]
        }
        "#);
    }
}
