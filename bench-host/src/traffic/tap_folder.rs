//! A folder with one file for every stream, as a sink of the kind `file_per_tap` writes it.

use std::{
    cmp::Ordering,
    fs::{self, File},
    io::BufReader,
    path::Path,
};

use super::{
    TrafficError,
    detect::{Format, detect},
    tap_file::{Place, Source},
};

/// The files of a folder in the order of their names. Folders in it, and files whose names begin
/// with a dot, are passed over; anything else has to be output of the filter.
pub(super) fn files(folder: &str) -> Result<Vec<Source>, TrafficError> {
    let io = |cause| TrafficError::Io { file: folder.to_owned(), cause };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') && path.is_file() {
            paths.push((name, path));
        }
    }
    if paths.is_empty() {
        return Err(TrafficError::Empty { file: folder.to_owned() });
    }
    paths.sort_by(|(one, _), (other, _)| by_numbers(one, other));
    paths.into_iter().map(|(name, path)| source(name, &path)).collect()
}

fn source(prefix: String, path: &Path) -> Result<Source, TrafficError> {
    let name = path.to_string_lossy().into_owned();
    let read = || detect(BufReader::new(File::open(path)?));
    match read() {
        Err(cause) => Err(TrafficError::Io { file: name, cause }),
        Ok(Format::Tap(coding)) => {
            let content = Place::File(path.into());
            Ok(Source { name, prefix: Some(prefix), coding, content })
        }
        Ok(Format::TapText) => Err(TrafficError::tap_text(&name)),
        Ok(Format::Empty) => Err(TrafficError::Empty { file: name }),
        Ok(_) => Err(TrafficError::NotRead {
            file: name,
            format: "a file in a folder that is no output of Envoy's tap filter",
            instead: "name it alone, or move it elsewhere",
        }),
    }
}

/// Compares names with the numbers in them by their values, so that 10 comes behind 9.
fn by_numbers(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    loop {
        let (a, b) = (digits(left), digits(right));
        if a > 0 && b > 0 {
            let number = |text: &str| {
                let number = text.trim_start_matches('0');
                (number.len(), number.to_owned())
            };
            let order = number(&left[..a]).cmp(&number(&right[..b]));
            if order.is_ne() {
                return order;
            }
            (left, right) = (&left[a..], &right[b..]);
            continue;
        }
        let (mut a, mut b) = (left.chars(), right.chars());
        match (a.next(), b.next()) {
            (None, None) => return one.cmp(other),
            (a, b) if a != b => return a.cmp(&b),
            _ => (left, right) = (a.as_str(), b.as_str()),
        }
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_count_by_their_values() {
        let mut names =
            ["b_1", "tap_10.pb", "tap_9.pb", "tap_", "tap_09.pb", "tap_1x2", "tap_1x10"];
        names.sort_by(|one, other| by_numbers(one, other));
        assert_eq!(
            names,
            ["b_1", "tap_", "tap_1x2", "tap_1x10", "tap_09.pb", "tap_9.pb", "tap_10.pb"]
        );
    }

    proptest! {
        #[test]
        fn the_order_is_total(names in proptest::collection::vec("[a0-2_é]{0,5}", 3)) {
            let [a, b, c] = [&names[0], &names[1], &names[2]];
            prop_assert_eq!(by_numbers(a, b), by_numbers(b, a).reverse());
            prop_assert_eq!(by_numbers(a, b).is_eq(), a == b);
            if by_numbers(a, b).is_le() && by_numbers(b, c).is_le() {
                prop_assert!(by_numbers(a, c).is_le());
            }
        }
    }
}
