//! How bodies are cut.

use bytes::Bytes;

use super::model::Chunking;

/// The chunks of a body; an empty one has one empty chunk.
pub(super) fn chunks(mut body: Bytes, plan: Option<Chunking>) -> Vec<Bytes> {
    let (size, most) = match plan {
        None => return vec![body],
        Some(Chunking::Size(size)) => (size, usize::MAX),
        // The last one takes what division leaves.
        Some(Chunking::Number(number)) => (body.len() / number, number),
    };
    let mut chunks = Vec::new();
    // A body shorter than the number of chunks has as many chunks as bytes.
    let size = size.max(1);
    while body.len() > size && chunks.len() + 1 < most {
        chunks.push(body.split_to(size));
    }
    chunks.push(body);
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(body: &'static str, plan: Chunking) -> Vec<String> {
        let chunks = chunks(Bytes::from_static(body.as_bytes()), Some(plan));
        chunks.iter().map(|chunk| String::from_utf8_lossy(chunk).into_owned()).collect()
    }

    #[test]
    fn a_number_of_chunks_leaves_the_rest_to_the_last() {
        assert_eq!(cut("0123456789", Chunking::Number(3)), ["012", "345", "6789"]);
        assert_eq!(cut("012345", Chunking::Number(3)), ["01", "23", "45"]);
        assert_eq!(cut("01", Chunking::Number(5)), ["0", "1"]);
        assert_eq!(cut("0123", Chunking::Number(1)), ["0123"]);
        assert_eq!(cut("", Chunking::Number(2)), [""]);
    }

    #[test]
    fn a_size_of_chunks_leaves_no_empty_one() {
        assert_eq!(cut("01234", Chunking::Size(2)), ["01", "23", "4"]);
        assert_eq!(cut("0123", Chunking::Size(2)), ["01", "23"]);
        assert_eq!(cut("", Chunking::Size(2)), [""]);
    }
}
