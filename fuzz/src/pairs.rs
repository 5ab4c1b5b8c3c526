//! Header maps as they cross the boundary.

use bench_host::host::{decode_pairs, encode_pairs};
use chunkwise::abi::pairs::Pairs;

use super::input::Input;

/// What the host takes from a guest at most.
const MAX_PAIRS: usize = 1024;
const MAX_BYTES: usize = 1024 * 1024;

/// Bytes that are read as pairs are written as the same bytes; host and SDK read the same pairs
/// from them, or neither does. Pairs that are written are read again, up to the host's limits.
pub fn check(data: &[u8]) {
    wire(data);
    round_trip(&cut(data));
}

/// The host reads what a plugin could have sent, and a plugin what a host could have.
fn wire(data: &[u8]) {
    let host = decode_pairs(data);
    assert!(host.len() <= MAX_PAIRS, "the host takes {} pairs", host.len());
    if !host.is_empty() {
        assert!(data.len() <= MAX_BYTES, "the host takes {} bytes", data.len());
        assert_eq!(encode_pairs(host.iter().copied()), data, "there is one way to write pairs");
    }
    match Pairs::parse(data) {
        Ok(pairs) => {
            let announced = pairs.len();
            let sdk: Vec<_> = pairs.collect();
            assert_eq!(sdk.len(), announced, "a list is as long as it says");
            let within = sdk.len() <= MAX_PAIRS && data.len() <= MAX_BYTES;
            assert!(!within || sdk == host, "host and SDK read other pairs: {sdk:?}, {host:?}");
        }
        Err(_) => assert!(host.is_empty(), "only the host reads these pairs: {host:?}"),
    }
}

/// Texts cut out of the input: a byte that says how long, then the text.
fn cut(data: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut input = Input::new(data);
    let mut pairs = Vec::new();
    while !input.is_empty() {
        pairs.push((input.text(), input.text()));
    }
    pairs
}

fn round_trip(pairs: &[(&[u8], &[u8])]) {
    let wire = encode_pairs(pairs.iter().copied());
    let lengths: usize = pairs.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    assert_eq!(wire.len(), 4 + lengths);
    let read: Vec<_> = Pairs::parse(&wire).expect("the SDK reads what the host writes").collect();
    assert_eq!(read, pairs);
    let fits = pairs.len() <= MAX_PAIRS && wire.len() <= MAX_BYTES;
    assert_eq!(decode_pairs(&wire), if fits { pairs } else { &[] });
}
