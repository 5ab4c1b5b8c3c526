//! `compress` and `uncompress`: zlib.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status as Zlib};

use super::Answer;
use crate::host::Status;

/// Most bytes that come out of `uncompress`. A real host grows its buffer until memory ends, which
/// a few kilobytes of input are enough for.
const MAX_OUTPUT: usize = 64 * 1024 * 1024;

/// Bytes that a zlib stream is longer than its input at most, per 16 KiB and at all: what
/// incompressible input costs, with room to spare.
const OVERHEAD: usize = 64;

/// `compress`: the argument as a zlib stream. Another zlib may write other bytes for the same input.
pub(super) fn compress(input: &[u8]) -> Answer {
    let mut output = Vec::with_capacity(input.len() + input.len() / 1000 + OVERHEAD);
    let mut stream = Compress::new(Compression::default(), true);
    loop {
        let rest = unread(input, stream.total_in());
        let status = stream.compress_vec(rest, &mut output, FlushCompress::Finish);
        match status.map_err(|_| Status::SerializationFailure)? {
            Zlib::StreamEnd => return Ok(Some(output)),
            Zlib::Ok | Zlib::BufError if output.len() == output.capacity() => {
                output.reserve(output.capacity());
            }
            Zlib::Ok | Zlib::BufError => return Err(Status::SerializationFailure),
        }
    }
}

/// `uncompress`: what a zlib stream was made of. What follows the stream is ignored.
///
/// # Errors
/// [`Status::SerializationFailure`] for what is no whole stream (a real host does not come back
/// from a stream that is cut off), [`Status::InternalFailure`] for more than [`MAX_OUTPUT`].
pub(super) fn uncompress(input: &[u8]) -> Answer {
    let mut output = Vec::with_capacity(input.len().saturating_mul(2).clamp(64, MAX_OUTPUT));
    let mut stream = Decompress::new(true);
    loop {
        let rest = unread(input, stream.total_in());
        let status = stream.decompress_vec(rest, &mut output, FlushDecompress::None);
        match status.map_err(|_| Status::SerializationFailure)? {
            Zlib::StreamEnd => return Ok(Some(output)),
            Zlib::Ok | Zlib::BufError if output.len() == output.capacity() => {
                if output.len() >= MAX_OUTPUT {
                    return Err(Status::InternalFailure);
                }
                output.reserve_exact(output.capacity().min(MAX_OUTPUT - output.len()));
            }
            Zlib::Ok if stream.total_in() < input.len() as u64 => {}
            Zlib::Ok | Zlib::BufError => return Err(Status::SerializationFailure),
        }
    }
}

fn unread(input: &[u8], read: u64) -> &[u8] {
    usize::try_from(read).ok().and_then(|read| input.get(read..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(input: &[u8]) -> Vec<u8> {
        compress(input).unwrap().unwrap()
    }

    #[test]
    fn a_stream_of_zlib_is_read() {
        // RFC 1950 and 1951: header, a stored block of one byte, Adler-32.
        let stored = b"\x78\x01\x01\x01\x00\xfe\xffa\x00\x62\x00\x62";
        assert_eq!(uncompress(stored), Ok(Some(b"a".to_vec())));
        assert_eq!(uncompress(&[&stored[..], b"behind"].concat()), Ok(Some(b"a".to_vec())));
        for cut in 0..stored.len() {
            assert_eq!(uncompress(&stored[..cut]), Err(Status::SerializationFailure), "{cut}");
        }
        let mut wrong = *stored;
        wrong[11] ^= 1;
        assert_eq!(uncompress(&wrong), Err(Status::SerializationFailure));
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = packed(&vec![0; MAX_OUTPUT + 1]);
        assert!(bomb.len() < 100_000);
        assert_eq!(uncompress(&bomb), Err(Status::InternalFailure));
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(input in prop::collection::vec(any::<u8>(), 0..5000)) {
            prop_assert_eq!(uncompress(&packed(&input)), Ok(Some(input)));
        }

        #[test]
        fn bytes_by_chance_are_refused_or_read(input in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = uncompress(&[&[0x78, 0x9c][..], &input].concat());
        }
    }
}
