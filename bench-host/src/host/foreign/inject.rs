//! `inject_encoded_data_to_filter_chain`: response bytes that the plugin makes up.

use bytes::Bytes;

use super::Answer;
use super::state::text;
use crate::host::protobuf::{Field, fields};
use crate::host::{Host, Status};

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
    host.inject(context, Bytes::copy_from_slice(body.as_bytes()), end, later)?;
    Ok(None)
}

impl Host {
    /// Sends response bytes on behind this filter, with the headers in front if they wait. `later`
    /// puts it off until the current callback has returned. Nothing happens, and nothing is wrong,
    /// on a context that has no response.
    fn inject(
        &mut self,
        _context: u32,
        _body: Bytes,
        _end: bool,
        _later: bool,
    ) -> Result<(), Status> {
        self.not_emulated("inject_encoded_data_to_filter_chain");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::host::Profile;

    #[test]
    fn a_body_is_text_and_messages_are_whole() {
        let mut host = host(Profile::Higress);
        assert_eq!(inject(&mut host, b"\x0a\x02ab\x10\x01", false), Ok(None));
        assert_eq!(inject(&mut host, b"", true), Ok(None));
        for wrong in [&b"\x0a\x02\xff\xff"[..], b"\x0a\x7fab", b"\x0a", b"\x13"] {
            assert_eq!(inject(&mut host, wrong, false), Err(Status::BadArgument));
        }
    }
}
