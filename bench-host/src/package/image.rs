//! A module as a container image, in a folder that registry tools copy from.
//!
//! It is the *compat* variant of the Wasm image specification: one layer, an archive that holds
//! `plugin.wasm`. Istio and Higress fetch images with the same code (`pkg/wasm/imagefetcher.go` of
//! Istio and of Higress's fork), which reads the last layer of an OCI image this way before it
//! tries the other variant.

use std::io;

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// An image in memory; the same module, tag and release of this crate make the same bytes.
#[derive(Debug)]
pub struct Image {
    /// SHA-256 of the manifest, in hexadecimal: what registries and gateways know the image by.
    pub digest: String,
    /// The files of the layout and their paths in its folder.
    pub files: Vec<(String, Vec<u8>)>,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

impl Image {
    /// Puts a module into an image that the layout knows by `tag`.
    ///
    /// # Cost
    /// Compresses the module; the archive and its compressed form are in memory at the same time.
    ///
    /// # Errors
    /// None but of the machine.
    pub fn new(module: &[u8], tag: &str) -> io::Result<Self> {
        let archive = archive(module)?;
        let mut blobs = Vec::new();
        let config = json!({
            "architecture": "wasm",
            "os": "wasip1",
            "config": {},
            "rootfs": {
                "type": "layers",
                "diff_ids": [format!("sha256:{}", sha256(&archive))],
            },
        });
        let config = blob(&mut blobs, CONFIG, config.to_string().into_bytes());
        let layer = blob(&mut blobs, LAYER, compressed(&archive)?);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": [layer],
            "annotations": { "module.wasm.image/variant": "compat" },
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = sha256(&manifest);
        let mut manifest = blob(&mut blobs, MANIFEST, manifest);
        manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [manifest],
        });
        let layout = json!({ "imageLayoutVersion": "1.0.0" });
        let mut files = vec![
            ("oci-layout".to_owned(), layout.to_string().into_bytes()),
            ("index.json".to_owned(), index.to_string().into_bytes()),
        ];
        files.append(&mut blobs);
        Ok(Self { digest, files })
    }
}

/// The archive of the layer, without times and owners.
fn archive(module: &[u8]) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(module.len() as u64);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "plugin.wasm", module)?;
    archive.into_inner()
}

fn compressed(archive: &[u8]) -> io::Result<Vec<u8>> {
    // 255 is an unknown operating system (RFC 1952), so that no machine shows.
    let gzip = GzBuilder::new().mtime(0).operating_system(255);
    let mut out = gzip.write(Vec::new(), Compression::best());
    io::Write::write_all(&mut out, archive)?;
    out.finish()
}

/// Keeps a blob and describes it.
fn blob(blobs: &mut Vec<(String, Vec<u8>)>, media_type: &str, bytes: Vec<u8>) -> Value {
    let (digest, size) = (sha256(&bytes), bytes.len());
    let path = format!("blobs/sha256/{digest}");
    blobs.push((path, bytes));
    json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size })
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn image() -> Image {
        Image::new(b"\0asm\x01\0\0\0", "1.0").unwrap()
    }

    /// The blob that a descriptor means, when it is as it says.
    fn follow<'a>(image: &'a Image, descriptor: &Value) -> &'a [u8] {
        let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let path = format!("blobs/sha256/{digest}");
        let (_, bytes) = image.files.iter().find(|(name, _)| *name == path).unwrap();
        assert_eq!(sha256(bytes), digest);
        assert_eq!(descriptor["size"], bytes.len());
        bytes
    }

    fn json(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    fn file<'a>(image: &'a Image, name: &str) -> &'a [u8] {
        &image.files.iter().find(|(path, _)| path == name).unwrap().1
    }

    #[test]
    fn a_gateway_finds_the_module() {
        let image = image();
        assert_eq!(json(file(&image, "oci-layout")), json!({ "imageLayoutVersion": "1.0.0" }));
        let index = json(file(&image, "index.json"));
        let entry = &index["manifests"][0];
        assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], "1.0");
        assert_eq!(entry["digest"], format!("sha256:{}", image.digest));
        let manifest = json(follow(&image, entry));
        // Istio takes another one for Docker's.
        assert_eq!(manifest["mediaType"], entry["mediaType"]);
        // Istio and Higress take the last layer, and look for the file by the end of its path.
        let layer = manifest["layers"].as_array().unwrap().last().unwrap();
        assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        let mut archive = Vec::new();
        flate2::read::GzDecoder::new(follow(&image, layer)).read_to_end(&mut archive).unwrap();
        let config = json(follow(&image, &manifest["config"]));
        assert_eq!(config["rootfs"]["diff_ids"], json!([format!("sha256:{}", sha256(&archive))]));
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut entries = archive.entries().unwrap();
        let mut entry = entries.next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some("plugin.wasm"));
        let mut module = Vec::new();
        entry.read_to_end(&mut module).unwrap();
        assert_eq!(module, b"\0asm\x01\0\0\0");
        assert!(entries.next().is_none());
    }

    #[test]
    fn nothing_else_is_in_the_layout() {
        let paths: Vec<_> = image().files.into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), 5, "{paths:?}");
    }

    #[test]
    fn the_same_module_is_the_same_image_everywhere() {
        assert_eq!(image().digest, image().digest);
        insta::assert_snapshot!(image().digest, @"785a83b7e3b5325edc1299b773c65218a1aed52e363e708dc1472072b0ff0d53");
        let other = Image::new(b"\0asm\x01\0\0\0", "2.0").unwrap();
        assert_eq!(other.digest, image().digest, "the tag is not of the image");
        let other = Image::new(b"\0asm\x01\0\0\0\0", "1.0").unwrap();
        assert_ne!(other.digest, image().digest);
    }
}
