//! `inject_encoded_data_to_filter_chain`: response bytes that the plugin makes up.

use bytes::Bytes;

use super::Answer;
use super::state::text;
use crate::host::Host;
use crate::host::actions::Action;
use crate::host::protobuf::{Field, fields};

/// Both functions (`InjectEncodedDataToFilterChainArguments`: body 1, endstream 2). `later` is the
/// form for header callbacks, which runs when the current callback has returned.
///
/// They act on the context of the current callback, not on the one that the plugin has chosen.
pub(super) fn inject(host: &mut Host, arguments: &[u8], later: bool) -> Answer {
    let (mut body, mut end) = ("", false);
    for field in fields(arguments) {
        match field? {
            (1, Field::Bytes(bytes)) => body = text(bytes)?,
            (2, Field::Varint(truth)) => end = truth != 0,
            _ => {}
        }
    }
    let context = host.current;
    if later {
        let body = Bytes::copy_from_slice(body.as_bytes());
        host.put_off(Action::Inject { context, body, end })?;
    } else {
        host.inject(context, body.as_bytes(), end)?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::host::{Profile, Status};

    #[test]
    fn a_body_is_text_and_messages_are_whole() {
        let mut host = host(Profile::Higress);
        let unanswered = inject(&mut host, b"\x0a\x02ab", false);
        assert_eq!(unanswered, Err(Status::BadArgument), "there is no response yet");
        host.streams.values_mut().for_each(|stream| stream.response.begun = true);
        assert_eq!(inject(&mut host, b"\x0a\x02ab\x10\x01", false), Ok(None));
        assert_eq!(inject(&mut host, b"", true), Ok(None));
        for wrong in [&b"\x0a\x02\xff\xff"[..], b"\x0a\x7fab", b"\x0a", b"\x13"] {
            assert_eq!(inject(&mut host, wrong, false), Err(Status::BadArgument));
        }
    }
}
