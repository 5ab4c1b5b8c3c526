//! Properties: attributes and filter state, as a plugin reads and sets them.

mod set;

use std::borrow::Cow;

use bytes::Bytes;

use super::attributes::{Attributes, STATE_PREFIX};
use super::{Host, Status};

/// What a plugin has said of a property before it sets it (`declare_property`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// It can be set once in a stream.
    pub readonly: bool,
    /// It is a string, and not bytes, in expressions.
    pub is_text: bool,
}

impl Host {
    /// The value of a property; its path's segments are separated by NUL.
    ///
    /// What is found, in this order: what the run was given for the path; the attribute or single
    /// name that the segments lead to; filter state of the first segment's name. Beside what real
    /// proxies do, a path written with points is understood, and filter state that was set under
    /// several segments is found under them again.
    pub(super) fn property(&self, path: &[u8]) -> Result<Bytes, Status> {
        let settings = &self.settings;
        let context = self.context();
        let attributes = self.attributes_of(context);
        if settings.properties.is_empty()
            && !settings.only_given_properties
            && let Some(value) = attributes.at(segments(path))
        {
            // Nearly always, and without another look at the path.
            return value.encoded();
        }
        let dotted = joined(path);
        let given = settings.properties.get(path).or_else(|| settings.properties.get(&*dotted));
        if let Some(given) = given {
            return Ok(Bytes::copy_from_slice(given));
        }
        let state = dotted.strip_prefix(STATE_PREFIX).unwrap_or(&dotted);
        let value = if settings.only_given_properties && !dotted.starts_with(b"plugin_") {
            attributes.state(state)
        } else {
            attributes
                .at(segments(path))
                .or_else(|| (!path.contains(&0)).then(|| attributes.at_dotted(path)).flatten())
                .or_else(|| attributes.state(state))
        };
        if value.is_none()
            && let Some(connection) = self.connections.get(&context)
        {
            let state = connection.filter_state.get(state).ok_or(Status::NotFound)?;
            return Ok(Bytes::copy_from_slice(state));
        }
        value.ok_or(Status::NotFound)?.encoded()
    }

    /// What is known now of a context.
    pub(super) fn attributes_of(&self, context: u32) -> Attributes<'_> {
        Attributes {
            settings: &self.settings,
            stream: self.streams.get(&context),
            declared: &self.declared,
            logging: self.logging,
            now: self.clock.now(),
            memory: self.memory_bytes,
        }
    }
}

/// The segments of a path as the proxy sees them: a NUL at the end begins no further one.
fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    // One NUL too many at the end is no segment more, but nothing else than one is an empty one.
    let path = path.strip_suffix(b"\0").filter(|path| !path.is_empty()).unwrap_or(path);
    let mut rest = Some(path).filter(|path| !path.is_empty());
    std::iter::from_fn(move || {
        let path = rest?;
        let end = path.iter().position(|byte| *byte == 0);
        rest = end.map(|end| &path[end + 1..]);
        Some(&path[..end.unwrap_or(path.len())])
    })
}

/// A path with its segments joined by points.
fn joined(path: &[u8]) -> Cow<'_, [u8]> {
    if path.contains(&0) {
        path.iter().map(|byte| if *byte == 0 { b'.' } else { *byte }).collect()
    } else {
        Cow::Borrowed(path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::{Profile, Received, Settings, Stream, World};

    pub(super) fn host(profile: Profile) -> Host {
        with(Settings::new(profile))
    }

    fn with(settings: Settings) -> Host {
        let mut host = Host::new(settings, &World::default());
        host.current = 2;
        let mut stream = Stream::new(1, "HTTP/1.1", Received::default(), Received::default());
        stream.request.headers.add(b"x.y", b"z");
        stream.request.begun = true;
        host.streams.insert(2, stream);
        host
    }

    pub(super) fn get(host: &Host, path: &str) -> Option<String> {
        host.property(path.as_bytes())
            .map(|value| value.to_vec())
            .ok()
            .map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn what_is_set_is_found_under_each_of_its_names() {
        let mut host = host(Profile::Envoy);
        host.set_property(b"mine", b"1").unwrap();
        host.set_property(b"a\0b", b"2").unwrap();
        for path in ["mine", "wasm.mine", "filter_state\0wasm.mine", "mine\0"] {
            assert_eq!(get(&host, path).as_deref(), Some("1"), "{path:?}");
        }
        assert_eq!(get(&host, "a\0b").as_deref(), Some("2"));
        for path in ["mine\0deeper", "\0mine", "a", "mine.", ".mine"] {
            assert_eq!(
                host.property(path.as_bytes()).map(|value| value.to_vec()),
                Err(Status::NotFound),
                "{path:?}"
            );
        }
        assert_eq!(get(&host, "request\0headers\0X.Y").as_deref(), Some("z"));
        assert_eq!(get(&host, "request.headers.x.y").as_deref(), Some("z"));
        let null = host.property(b"").map(|value| value.to_vec());
        assert_eq!(null, Err(Status::SerializationFailure), "no segment is null");
    }

    #[test]
    fn attributes_hide_filter_state_of_their_name() {
        let mut host = host(Profile::Envoy);
        host.set_property(b"plugin_name", b"mine").unwrap();
        assert_eq!(get(&host, "plugin_name").as_deref(), Some("plugin"));
        assert_eq!(get(&host, "filter_state\0wasm.plugin_name").as_deref(), Some("mine"));
    }

    #[test]
    fn what_a_run_gives_comes_first_and_can_be_all_that_there_is() {
        let mut settings = Settings::new(Profile::Higress);
        settings.properties.insert(b"request.path".to_vec(), b"/given".to_vec());
        settings.properties.insert(b"a\0b".to_vec(), b"1".to_vec());
        let mut host = with(settings);
        assert_eq!(get(&host, "request\0path").as_deref(), Some("/given"));
        assert_eq!(get(&host, "a\0b").as_deref(), Some("1"));
        assert!(get(&host, "request.protocol").is_some());
        host.settings.only_given_properties = true;
        host.set_property(b"mine", b"2").unwrap();
        assert_eq!(get(&host, "request.path").as_deref(), Some("/given"));
        assert_eq!(get(&host, "mine").as_deref(), Some("2"));
        assert_eq!(get(&host, "plugin_name").as_deref(), Some("plugin"));
        for path in ["request.protocol", "node", "cluster_name", "request", "source\0port"] {
            assert_eq!(get(&host, path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn paths_by_chance_get_a_status(
            words in prop::collection::vec(
                prop_oneof![
                    Just(b"request".to_vec()), Just(b"headers".to_vec()), Just(b"xds".to_vec()),
                    Just(b"node".to_vec()), Just(b"metadata".to_vec()), Just(b"wasm".to_vec()),
                    Just(b"filter_state".to_vec()), Just(b"trace_span_tag.".to_vec()),
                    prop::collection::vec(any::<u8>(), 0..20),
                ], 0..8),
            separator in prop_oneof![Just(0), Just(b'.'), any::<u8>()],
            value in prop::collection::vec(any::<u8>(), 0..40),
            higress: bool,
            stream: bool,
        ) {
            let mut host = host(if higress { Profile::Higress } else { Profile::Envoy });
            host.current = if stream { 2 } else { 1 };
            let path = words.join(&separator);
            let _ = host.property(&path).map(|value| value.to_vec());
            let set = host.set_property(&path, &value);
            prop_assert_eq!(set.is_ok(), stream);
            let _ = host.property(&path).map(|value| value.to_vec());
        }
    }

    #[test]
    fn paths_of_a_megabyte_take_no_time() {
        for byte in [0, b'.', b'a', 0xff] {
            let mut host = host(Profile::Envoy);
            let path = vec![byte; 1 << 20];
            assert_eq!(host.property(&path).map(|value| value.to_vec()), Err(Status::NotFound));
            assert_eq!(host.set_property(&path, b"1"), Ok(()));
        }
    }
}
