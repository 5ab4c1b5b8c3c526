//! An ordered list of header fields.

use bytes::Bytes;

/// Header fields in the order in which they travel, repeats included.
///
/// Names are lower case; pseudo headers (`:method`, `:status`…) come first. Every reader of this
/// module keeps both promises; whoever builds a list by hand keeps them too.
///
/// # Cost
///
/// Cloning allocates the list and shares the names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Bytes, Bytes)>);

impl Headers {
    /// Creates an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field at the end; `name` must be lower case.
    pub fn push(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.0.push((name.into(), value.into()));
    }

    /// Gives the first field called `name` a new value; does nothing when there is none.
    pub fn replace(&mut self, name: &str, value: impl Into<Bytes>) {
        if let Some((_, old)) = self.0.iter_mut().find(|(known, _)| known == name) {
            *old = value.into();
        }
    }

    /// Keeps only the fields that `keep` answers true for.
    pub fn retain(&mut self, mut keep: impl FnMut(&Bytes, &Bytes) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
    }

    /// The value of the first field called `name`.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// The fields in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Bytes, Bytes)> {
        self.0.iter()
    }

    /// The fields in order; names must stay in lower case.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, (Bytes, Bytes)> {
        self.0.iter_mut()
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<(Bytes, Bytes)> for Headers {
    fn extend<I: IntoIterator<Item = (Bytes, Bytes)>>(&mut self, fields: I) {
        self.0.extend(fields);
    }
}

impl FromIterator<(Bytes, Bytes)> for Headers {
    fn from_iter<I: IntoIterator<Item = (Bytes, Bytes)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl IntoIterator for Headers {
    type Item = (Bytes, Bytes);
    type IntoIter = std::vec::IntoIter<(Bytes, Bytes)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a (Bytes, Bytes);
    type IntoIter = std::slice::Iter<'a, (Bytes, Bytes)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repeats_are_kept() {
        let mut headers = Headers::new();
        headers.push(":status", "200");
        headers.push("set-cookie", "a=1");
        headers.push("set-cookie", "b=2");
        headers.replace("set-cookie", "c=3");
        headers.replace("absent", "never seen");

        let fields: Vec<_> = headers.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        assert_eq!(
            fields,
            [(&b":status"[..], &b"200"[..]), (b"set-cookie", b"c=3"), (b"set-cookie", b"b=2"),]
        );
        headers.retain(|name, _| name != "set-cookie");
        assert_eq!(headers.get(":status").unwrap(), "200");
        assert_eq!((headers.len(), headers.is_empty()), (1, false));
    }
}
