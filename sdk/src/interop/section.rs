//! What the module says of itself.

/// Content of the custom section `chunkwise` of a plugin on the crate `proxy-wasm`. The ABI is that
/// crate's, and its marker is among the exports.
pub const SECTION: &str = concat!("version=", env!("CARGO_PKG_VERSION"), "\ninterop=proxy-wasm\n");

/// [`SECTION`] as the array that a `static` in a custom section has to be.
#[doc(hidden)]
pub const fn section_bytes<const LEN: usize>() -> [u8; LEN] {
    match SECTION.as_bytes().first_chunk() {
        Some(bytes) => *bytes,
        None => [b'\n'; LEN],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_array_is_the_text() {
        let bytes: [u8; SECTION.len()] = section_bytes();
        assert_eq!(bytes, SECTION.as_bytes());
        assert_eq!(section_bytes::<1000>(), [b'\n'; 1000], "no key and no value");
    }
}
