//! Setting properties: filter state, and what plugins of Higress wish for.

use super::joined;
use crate::host::quota::entry_size;
use crate::host::{Host, Profile, Status};

impl Host {
    /// Sets a property: filter state of the stream, and on Higress the wishes that plugins tell the
    /// proxy under certain names.
    pub(in crate::host) fn set_property(
        &mut self,
        path: &[u8],
        value: &[u8],
    ) -> Result<(), Status> {
        if self.stream().is_none() {
            return self.set_connection_state(path, value);
        }
        if self.settings.profile == Profile::Higress && self.wish(path, value)? {
            return Ok(());
        }
        self.set_state(path, value)
    }

    /// Follows a wish; true when it leaves no filter state with this value.
    fn wish(&mut self, path: &[u8], value: &[u8]) -> Result<bool, Status> {
        const SPAN_TAG: &[u8] = b"trace_span_tag.";
        if let Some(tag) = path.strip_prefix(SPAN_TAG) {
            return self.set_span_tag(tag, value).map(|()| true);
        }
        match path {
            b"wasm_need_rebuild" => {
                // Whatever the value; what is left behind is empty.
                self.rebuild_requested = true;
                let known = self.stream().is_some_and(|s| s.filter_state.contains_key(path));
                return if known { Ok(true) } else { self.set_state(path, &[]).map(|()| true) };
            }
            b"clear_route_cache" => {
                let stream = self.stream().ok_or(Status::NotFound)?;
                stream.keeps_route = value == b"off";
            }
            b"set_decoder_buffer_limit" | b"set_encoder_buffer_limit" => {
                let stream = self.stream().ok_or(Status::NotFound)?;
                // There is one limit for both directions; what is no number is ignored.
                stream.buffer_limit = parse_limit(value).or(stream.buffer_limit);
            }
            _ => {}
        }
        Ok(false)
    }

    /// Connections have filter state, and nothing else that could be set.
    fn set_connection_state(&mut self, path: &[u8], value: &[u8]) -> Result<(), Status> {
        let connection = self.connections.get_mut(&self.effective.unwrap_or(self.current));
        let state = &mut connection.ok_or(Status::NotFound)?.filter_state;
        let path = joined(path);
        let old = state.get(&*path).map_or(0, |old| entry_size(&path, old));
        self.quota.exchange("filter state", old, entry_size(&path, value))?;
        state.insert(path.into_owned(), value.to_vec());
        Ok(())
    }

    fn set_span_tag(&mut self, tag: &[u8], value: &[u8]) -> Result<(), Status> {
        let (quota, stream) = self.quota_and_stream().ok_or(Status::NotFound)?;
        let old = stream.span_tags.get(tag).map_or(0, |old| entry_size(tag, old));
        let new = entry_size(tag, value);
        quota.exchange("span tags", old, new)?;
        stream.charged = (stream.charged + new).saturating_sub(old);
        stream.span_tags.insert(tag.to_vec(), value.to_vec());
        Ok(())
    }

    fn set_state(&mut self, path: &[u8], value: &[u8]) -> Result<(), Status> {
        let path = joined(path);
        let readonly = self.declared.get(&*path).is_some_and(|declared| declared.readonly);
        let (quota, stream) = self.quota_and_stream().ok_or(Status::NotFound)?;
        let known = stream.filter_state.get(&*path);
        if readonly && known.is_some() {
            return Err(Status::BadArgument);
        }
        let old = known.map_or(0, |old| entry_size(&path, old));
        let new = entry_size(&path, value);
        quota.exchange("filter state", old, new)?;
        stream.charged = (stream.charged + new).saturating_sub(old);
        stream.filter_state.insert(path.into_owned(), value.to_vec());
        Ok(())
    }
}

/// A buffer limit as C++ `std::stoul` reads it: blanks and a sign in front, anything behind. More
/// than 32 bits is no limit that the proxy takes; a minus counts down from 2^64, as in C.
fn parse_limit(text: &[u8]) -> Option<u32> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r');
    let text = &text[text.iter().take_while(|byte| is_blank(byte)).count()..];
    let (minus, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        Some((b'+', digits)) => (false, digits),
        _ => (false, text),
    };
    let end = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number: u64 = str::from_utf8(&digits[..end]).ok()?.parse().ok()?;
    u32::try_from(if minus { number.wrapping_neg() } else { number }).ok()
}

#[cfg(test)]
mod tests {
    use super::super::Declared;
    use super::super::tests::{get, host};
    use super::*;
    use crate::host::Quota;

    #[test]
    fn wishes_are_followed_by_higress_alone() {
        let wishes: [(&[u8], &[u8]); 5] = [
            (b"trace_span_tag.a", b"1"),
            (b"wasm_need_rebuild", b"false"),
            (b"clear_route_cache", b"off"),
            (b"set_decoder_buffer_limit", b"9"),
            (b"set_encoder_buffer_limit", b"many"),
        ];
        for profile in [Profile::Envoy, Profile::Higress] {
            let mut host = host(profile);
            for (path, value) in wishes {
                assert_eq!(host.set_property(path, value), Ok(()));
            }
            let higress = profile == Profile::Higress;
            let read = |path: &str| get(&host, path);
            assert_eq!(read("trace_span_tag.a").is_none(), higress);
            assert_eq!(
                read("wasm_need_rebuild").as_deref(),
                Some(["false", ""][usize::from(higress)])
            );
            assert_eq!(read("clear_route_cache").as_deref(), Some("off"));
            assert_eq!(read("set_encoder_buffer_limit").as_deref(), Some("many"));
            assert_eq!(host.rebuild_requested, higress);
            let stream = host.stream().unwrap();
            assert_eq!((stream.keeps_route, stream.buffer_limit), (higress, higress.then_some(9)));
            assert_eq!(stream.span_tags.len(), usize::from(higress));
        }
    }

    #[test]
    fn any_other_value_lets_the_route_change_again() {
        let mut host = host(Profile::Higress);
        for (value, keeps) in [("off", true), ("on", false), ("off", true), ("OFF", false)] {
            host.set_property(b"clear_route_cache", value.as_bytes()).unwrap();
            assert_eq!(host.stream().unwrap().keeps_route, keeps, "{value}");
        }
    }

    #[test]
    fn limits_are_read_as_c_reads_numbers() {
        let cases: [(&[u8], Option<u32>); 14] = [
            (b"12", Some(12)),
            (b" \t\n+12", Some(12)),
            (b"12MiB", Some(12)),
            (b"0012.5", Some(12)),
            (b"0", Some(0)),
            (b"0x10", Some(0)),
            (b"4294967295", Some(u32::MAX)),
            (b"4294967296", None),
            (b"99999999999999999999999", None),
            (b"-1", None),
            (b"-18446744073709551615", Some(1)),
            (b"", None),
            (b"+ 1", None),
            (b"\xff", None),
        ];
        for (text, limit) in cases {
            assert_eq!(parse_limit(text), limit, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn without_a_stream_nothing_can_be_set() {
        let mut host = host(Profile::Higress);
        host.current = 1;
        for path in ["mine", "wasm_need_rebuild", "trace_span_tag.a"] {
            assert_eq!(host.set_property(path.as_bytes(), b"1"), Err(Status::NotFound), "{path}");
        }
        assert!(!host.rebuild_requested);
        assert_eq!(
            host.property(b"request\0path").map(|value| value.to_vec()),
            Err(Status::NotFound)
        );
        host.effective = Some(2);
        assert_eq!(host.set_property(b"mine", b"1"), Ok(()));
    }

    #[test]
    fn what_is_declared_readonly_is_set_once() {
        let mut host = host(Profile::Envoy);
        host.declared.insert(b"once".to_vec(), Declared { readonly: true, is_text: true });
        assert_eq!(host.set_property(b"once", b"1"), Ok(()));
        assert_eq!(host.set_property(b"once", b"2"), Err(Status::BadArgument));
        assert_eq!(get(&host, "once").as_deref(), Some("1"));
    }

    #[test]
    fn the_quota_ends_what_is_kept_and_is_given_back() {
        let mut host = host(Profile::Higress);
        host.quota = Quota::new(1000);
        for _ in 0..100 {
            assert_eq!(host.set_property(b"mine", &[0; 400]), Ok(()));
            assert_eq!(host.set_property(b"trace_span_tag.t", &[0; 100]), Ok(()));
        }
        assert_eq!(host.set_property(b"more", &[0; 400]), Err(Status::InternalFailure));
        assert_eq!(host.quota.refused(), Some(("filter state", 468)));
        let charged = host.stream().unwrap().charged;
        assert_eq!(charged, host.quota.used());
    }
}
