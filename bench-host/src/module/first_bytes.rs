//! What a file that is not wasm looks like, so that its owner sees the mistake at once.

use std::fmt;

/// What the start of a file that is not a wasm module looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FirstBytes {
    /// No bytes at all.
    Empty,
    /// The header of a wasm file, which ends before it is whole.
    CutShort(usize),
    /// WebAssembly in its text format.
    Wat,
    /// Gzip, which is how container images hold their layers.
    Gzip,
    /// Zstandard, the other way.
    Zstd,
    /// A tar archive.
    Tar,
    /// A zip archive.
    Zip,
    /// A program or library of the machine that built it.
    Native(&'static str),
    /// A static library or `.rlib`: what goes into the linker, not what comes out.
    StaticLibrary,
    /// The placeholder of a file that Git LFS keeps elsewhere.
    LfsPointer,
    /// Some other text, of which this is the start.
    Text(String),
    /// Nothing known.
    Other(Vec<u8>),
}

impl FirstBytes {
    /// Judges a file that does not start with a whole wasm header.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [] => Self::Empty,
            _ if b"\0asm".starts_with(&bytes[..bytes.len().min(4)]) => Self::CutShort(bytes.len()),
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [b'P', b'K', 3 | 5, ..] => Self::Zip,
            [0x7f, b'E', b'L', b'F', ..] => Self::Native("ELF"),
            [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] => Self::Native("Mach-O"),
            [b'M', b'Z', ..] if bytes.contains(&0) => Self::Native("Windows"),
            _ if bytes.starts_with(b"!<arch>\n") => Self::StaticLibrary,
            _ if bytes.get(257..262) == Some(b"ustar") => Self::Tar,
            _ => Self::of_text(bytes),
        }
    }

    fn of_text(bytes: &[u8]) -> Self {
        let start = &bytes[..bytes.len().min(4096)];
        // The cut may fall into a character.
        let text = match std::str::from_utf8(start) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() => {
                std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => "",
        };
        let printable = |c: char| !c.is_control() || c.is_whitespace();
        if text.is_empty() || !text.chars().all(printable) {
            return Self::Other(bytes[..bytes.len().min(8)].to_vec());
        }
        if text.starts_with("version https://git-lfs") {
            return Self::LfsPointer;
        }
        let code =
            text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(";;"));
        let code = code.unwrap_or_default();
        if code.starts_with("(module") || code.starts_with("(component") || code.starts_with("(;") {
            return Self::Wat;
        }
        Self::Text(code.chars().take(40).collect())
    }
}

impl fmt::Display for FirstBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::CutShort(bytes) => write!(
                f,
                "it ends after {bytes} of the 8 bytes that start a wasm file: copy or build it again"
            ),
            Self::Wat => f.write_str(
                "it is WebAssembly text: make a binary of it first, \
                 `wasm-tools parse plugin.wat -o plugin.wasm` or `wat2wasm plugin.wat`",
            ),
            Self::Gzip => f.write_str(
                "it is compressed with gzip, as the layers of an OCI image are: take the plugin out \
                 of it first, `tar -xzf <file>`, or `gunzip` where it is no archive",
            ),
            Self::Zstd => f.write_str(
                "it is compressed with zstd, as the layers of an OCI image may be: take the plugin \
                 out of it first, `tar --zstd -xf <file>`",
            ),
            Self::Tar => f.write_str(
                "it is a tar archive, as the layers of an OCI image are: take the plugin out of it \
                 first, `tar -xf <file>`",
            ),
            Self::Zip => f.write_str("it is a zip archive: take the plugin out of it first"),
            Self::Native(format) => write!(
                f,
                "it is a native {format} binary: build the plugin for a wasm target, \
                 `cargo build --target wasm32-wasip1`"
            ),
            Self::StaticLibrary => f.write_str(
                "it is a static library: set `crate-type = [\"cdylib\"]` and take the .wasm file",
            ),
            Self::LfsPointer => f.write_str("it is a Git LFS pointer: run `git lfs pull` first"),
            Self::Text(start) => write!(f, "it is text that starts with {start:?}"),
            Self::Other(bytes) => {
                f.write_str("it starts with the bytes")?;
                bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))?;
                f.write_str(", and a wasm file with 00 61 73 6d")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guess_has_its_message() {
        let mut tar = vec![b'x'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let files: [&[u8]; 15] = [
            b"",
            b"\0as",
            b"\0asm\x01\0",
            b";; a plugin\n\n  (module)",
            b"\x1f\x8b\x08\0\0",
            b"\x28\xb5\x2f\xfd\0",
            &tar,
            b"PK\x03\x04",
            b"\x7fELF\x02\x01",
            b"\xcf\xfa\xed\xfe",
            b"!<arch>\n/ 0",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
            b"<!DOCTYPE html>\n<title>404</title>",
            "Überall ist Text, und dieser hier ist ein sehr langer".as_bytes(),
            b"\xfe\xff\0\x01\x02\x03\x04\x05\x06\x07",
        ];
        let messages: Vec<_> = files.iter().map(|file| FirstBytes::of(file).to_string()).collect();
        insta::assert_snapshot!(messages.join("\n"), @r#"
        the file is empty
        it ends after 3 of the 8 bytes that start a wasm file: copy or build it again
        it ends after 6 of the 8 bytes that start a wasm file: copy or build it again
        it is WebAssembly text: make a binary of it first, `wasm-tools parse plugin.wat -o plugin.wasm` or `wat2wasm plugin.wat`
        it is compressed with gzip, as the layers of an OCI image are: take the plugin out of it first, `tar -xzf <file>`, or `gunzip` where it is no archive
        it is compressed with zstd, as the layers of an OCI image may be: take the plugin out of it first, `tar --zstd -xf <file>`
        it is a tar archive, as the layers of an OCI image are: take the plugin out of it first, `tar -xf <file>`
        it is a zip archive: take the plugin out of it first
        it is a native ELF binary: build the plugin for a wasm target, `cargo build --target wasm32-wasip1`
        it is a native Mach-O binary: build the plugin for a wasm target, `cargo build --target wasm32-wasip1`
        it is a static library: set `crate-type = ["cdylib"]` and take the .wasm file
        it is a Git LFS pointer: run `git lfs pull` first
        it is text that starts with "<!DOCTYPE html>"
        it is text that starts with "Überall ist Text, und dieser hier ist ei"
        it starts with the bytes fe ff 00 01 02 03 04 05, and a wasm file with 00 61 73 6d
        "#);
    }

    #[test]
    fn text_that_is_cut_inside_a_character_is_text() {
        let text = "ä".repeat(4000);
        assert!(matches!(FirstBytes::of(&text.as_bytes()[..4095]), FirstBytes::Text(_)));
        let odd = format!("x{text}");
        assert!(matches!(FirstBytes::of(odd.as_bytes()), FirstBytes::Text(_)));
    }
}
