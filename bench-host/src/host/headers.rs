//! Header maps, and the wire format in which they cross the boundary.

use bytes::Bytes;

/// Headers in order; names are lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMap {
    entries: Vec<(Bytes, Bytes)>,
    /// Bytes of all names and values.
    size: usize,
    folded: bool,
    /// Names of which there is one field, in alphabetical order: another one is joined to it.
    joined: &'static [&'static str],
}

impl HeaderMap {
    /// A map as test runners have it, with one value for a name: another one is joined to it with
    /// `, `. Sorted by name, and names keep the case in which they first came.
    pub fn folded() -> Self {
        Self { folded: true, ..Self::default() }
    }

    /// The map as Envoy has it, which keeps one field of each of these names and joins others of
    /// the same name to it with `,`.
    pub(super) fn joining(self, names: &'static [&'static str]) -> Self {
        let mut map = Self { joined: names, ..self };
        let mut fields = map.entries.iter().enumerate();
        let repeats = fields.any(|(at, (name, _))| {
            map.is_joined(name) && map.entries[..at].iter().any(|(before, _)| before == name)
        });
        if repeats {
            map.size = 0;
            for (name, value) in std::mem::take(&mut map.entries) {
                map.add(&name, &value);
            }
        }
        map
    }

    /// Adds a header at the end.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        if self.folded {
            return self.fold(name, value);
        }
        if self.is_joined(name)
            && let Some(at) = self.position(name)
        {
            let known = &mut self.entries[at].1;
            *known = [&known[..], b",", value].concat().into();
            self.size += 1 + value.len();
            return;
        }
        self.size += name.len() + value.len();
        self.entries.push((lower(name), Bytes::copy_from_slice(value)));
    }

    fn is_joined(&self, name: &[u8]) -> bool {
        let lower = || name.iter().map(u8::to_ascii_lowercase);
        self.joined.binary_search_by(|known| known.bytes().cmp(lower())).is_ok()
    }

    fn fold(&mut self, name: &[u8], value: &[u8]) {
        if let Some(at) = self.position(name) {
            let known = &mut self.entries[at].1;
            let joined: Bytes = match &known[..] {
                b"" => Bytes::copy_from_slice(value),
                first => [first, b", ", value].concat().into(),
            };
            self.size = self.size - known.len() + joined.len();
            *known = joined;
            return;
        }
        self.size += name.len() + value.len();
        let name = Bytes::copy_from_slice(name);
        let key = lower(&name);
        let at = self.entries.partition_point(|(known, _)| lower(known) < key);
        self.entries.insert(at, (name, Bytes::copy_from_slice(value)));
    }

    /// Takes these headers instead.
    pub fn replace_all<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) {
        self.entries.clear();
        self.size = 0;
        for (name, value) in pairs {
            self.add(name, value);
        }
    }

    /// Sets a header: the first of its name gets the value, the others go.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let Some(first) = self.position(name) else { return self.add(name, value) };
        self.entries[first].1 = Bytes::copy_from_slice(value);
        let mut at = 0;
        self.entries.retain(|(known, _)| {
            at += 1;
            at <= first + 1 || !known.eq_ignore_ascii_case(name)
        });
        self.measure();
    }

    /// Removes all headers of a name.
    pub fn remove(&mut self, name: &[u8]) {
        self.entries.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.measure();
    }

    fn measure(&mut self) {
        self.size = self.entries.iter().map(|(name, value)| name.len() + value.len()).sum();
    }

    /// The first value of a name.
    pub fn get(&self, name: &[u8]) -> Option<&Bytes> {
        self.position(name).map(|at| &self.entries[at].1)
    }

    /// All headers in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Bytes, &Bytes)> {
        self.entries.iter().map(|(name, value)| (name, value))
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all names and values, which is what `proxy_get_header_map_size` answers in Envoy.
    pub fn byte_size(&self) -> usize {
        self.size
    }

    /// Bytes of memory that the map takes, about.
    pub fn memory(&self) -> usize {
        self.size + self.entries.len() * size_of::<(Bytes, Bytes)>()
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        self.entries.iter().position(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}

impl<'a> FromIterator<(&'a [u8], &'a [u8])> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (&'a [u8], &'a [u8])>>(pairs: I) -> Self {
        let mut map = Self::default();
        for (name, value) in pairs {
            map.add(name, value);
        }
        map
    }
}

impl From<Vec<(Bytes, Bytes)>> for HeaderMap {
    fn from(entries: Vec<(Bytes, Bytes)>) -> Self {
        let mut map = Self { entries, ..Self::default() };
        map.measure();
        map
    }
}

fn lower(name: &[u8]) -> Bytes {
    if name.iter().any(u8::is_ascii_uppercase) {
        name.to_ascii_lowercase().into()
    } else {
        Bytes::copy_from_slice(name)
    }
}

/// Most bytes and pairs that a host takes from a guest (proxy-wasm C++ host, `limits.h`).
const MAX_BYTES: usize = 1024 * 1024;
const MAX_PAIRS: usize = 1024;

/// Pairs in the wire format: count, lengths, then names and values, each followed by a NUL.
pub fn encode_pairs<'a>(
    pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
) -> Vec<u8> {
    let mut wire = word(pairs.len()).to_vec();
    for (name, value) in pairs.clone() {
        wire.extend(word(name.len()));
        wire.extend(word(value.len()));
    }
    for text in pairs.flat_map(|(name, value)| [name, value]) {
        wire.extend(text);
        wire.push(0);
    }
    wire
}

/// Reads pairs that a guest wrote. Anything malformed gives an empty list, as in the C++ host.
pub fn decode_pairs(wire: &[u8]) -> Vec<(&[u8], &[u8])> {
    try_decode(wire).unwrap_or_default()
}

fn try_decode(wire: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    if wire.len() > MAX_BYTES {
        return None;
    }
    let (count, rest) = take_word(wire)?;
    if count > MAX_PAIRS {
        return None;
    }
    let (mut lengths, mut texts) = rest.split_at_checked(count * 8)?;
    let mut pairs = Vec::with_capacity(count);
    while !lengths.is_empty() {
        let (name, after) = take_word(lengths)?;
        let (value, after) = take_word(after)?;
        lengths = after;
        let (name, after) = take_text(texts, name)?;
        let (value, after) = take_text(after, value)?;
        texts = after;
        pairs.push((name, value));
    }
    texts.is_empty().then_some(pairs)
}

fn word(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

fn take_word(wire: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = wire.split_first_chunk()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

fn take_text(wire: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = wire.split_at_checked(length)?;
    let (nul, rest) = rest.split_first()?;
    (*nul == 0).then_some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
    }

    #[test]
    fn set_keeps_the_place_of_the_first_and_removes_the_others() {
        let mut headers = map(&[("a", "1"), ("X", "2"), ("b", "3"), ("x", "4")]);
        headers.set(b"x", b"5");
        assert_eq!(headers, map(&[("a", "1"), ("x", "5"), ("b", "3")]));
        headers.remove(b"X");
        assert_eq!(headers, map(&[("a", "1"), ("b", "3")]));
        assert_eq!(headers.get(b"B").unwrap(), "3");
    }

    #[test]
    fn a_folded_map_has_one_value_for_a_name() {
        let mut headers = HeaderMap::folded();
        for (name, value) in [("Via", "1"), (":path", "/"), ("b", ""), ("vIA", "2"), ("B", "3")] {
            headers.add(name.as_bytes(), value.as_bytes());
        }
        let pairs: Vec<_> = headers.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        assert_eq!(pairs, [(&b":path"[..], &b"/"[..]), (b"b", b"3"), (b"Via", b"1, 2")]);
        headers.set(b"VIA", b"4");
        headers.replace_all([(&b"z"[..], &b"1"[..]), (b"a", b"2"), (b"Z", b"3")]);
        let pairs: Vec<_> = headers.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        assert_eq!(pairs, [(&b"a"[..], &b"2"[..]), (b"z", b"1, 3")]);
    }

    #[test]
    fn a_map_of_envoy_has_one_field_of_some_names() {
        let headers = map(&[("via", "1"), ("x", "2"), ("via", "3"), ("x", "4")]);
        let mut headers = headers.joining(&["accept", "via"]);
        headers.add(b"Via", b"5");
        headers.add(b"accept", b"6");
        let expected = map(&[("via", "1,3,5"), ("x", "2"), ("x", "4"), ("accept", "6")]);
        assert!(headers.iter().eq(expected.iter()));
        assert_eq!(headers.byte_size(), expected.byte_size());
    }

    #[test]
    fn pairs_are_read_as_they_were_written() {
        let pairs: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"", b""), (b"n\0ul", b"\xff")];
        let wire = encode_pairs(pairs.into_iter());
        assert_eq!(decode_pairs(&wire), pairs);
        for cut in 0..wire.len() {
            assert!(decode_pairs(&wire[..cut]).is_empty(), "{cut}");
        }
        assert!(decode_pairs(&[&wire[..], b"x"].concat()).is_empty());
    }

    #[test]
    fn more_pairs_than_the_limit_are_none_at_all() {
        let many: Vec<(&[u8], &[u8])> = vec![(b"a", b"b"); MAX_PAIRS + 1];
        assert!(decode_pairs(&encode_pairs(many.into_iter())).is_empty());
    }
}
