//! Where an image is: a registry, a repository and a tag.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The name of an image in a registry, with its tag, such as `registry.example/team/plugin:1.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    repository: String,
    tag: String,
}

/// Why a text is no image's name. The command line is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageReferenceError {
    /// The part in front of the tag is empty or has characters that no registry knows.
    #[error(
        "not an image; write REGISTRY/REPOSITORY:TAG, in lower case, such as \
         registry.example/team/plugin:1.0"
    )]
    Repository,
    /// The part behind the colon.
    #[error("the tag must be up to 128 letters, digits, `_`, `-` and dots, and not begin with one")]
    Tag,
    /// A digest names an image that is there already.
    #[error("leave the digest out: it is that of the image that is written")]
    Digest,
}

impl ImageReference {
    /// An image of this tag.
    ///
    /// # Errors
    /// Names that no registry takes.
    pub fn new(repository: &str, tag: &str) -> Result<Self, ImageReferenceError> {
        let part = |part: &str, more: &[u8]| {
            !part.is_empty()
                && part.bytes().all(|c| {
                    c.is_ascii_lowercase()
                        || c.is_ascii_digit()
                        || b"._-".contains(&c)
                        || more.contains(&c)
                })
        };
        // The first part may be a host, with a port.
        let (host, path) = repository.split_once('/').unwrap_or(("docker.io", repository));
        if !part(host, b":") || !path.split('/').all(|name| part(name, b"")) {
            return Err(ImageReferenceError::Repository);
        }
        let is_tag = (1..=128).contains(&tag.len())
            && !tag.starts_with(['.', '-'])
            && tag.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c));
        if !is_tag {
            return Err(ImageReferenceError::Tag);
        }
        Ok(Self { repository: repository.to_owned(), tag: tag.to_owned() })
    }

    /// What stands behind the last colon.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

impl FromStr for ImageReference {
    type Err = ImageReferenceError;

    /// With or without `oci://` in front; the tag is `latest` where there is none.
    fn from_str(text: &str) -> Result<Self, ImageReferenceError> {
        let text = text.strip_prefix("oci://").unwrap_or(text);
        if text.contains('@') {
            return Err(ImageReferenceError::Digest);
        }
        match text.rsplit_once(':') {
            // Of `host:5000/name` the colon is the port's.
            Some((repository, tag)) if !tag.contains('/') => Self::new(repository, tag),
            _ => Self::new(text, "latest"),
        }
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_a_tag() {
        for (text, image) in [
            ("registry.example/team/plugin:1.0", "registry.example/team/plugin:1.0"),
            ("oci://registry.example/plugin", "registry.example/plugin:latest"),
            ("localhost:5000/plugin", "localhost:5000/plugin:latest"),
            ("localhost:5000/plugin:V_1-a.b", "localhost:5000/plugin:V_1-a.b"),
            ("plugin", "plugin:latest"),
        ] {
            assert_eq!(text.parse::<ImageReference>().unwrap().to_string(), image);
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for (text, error) in [
            ("", ImageReferenceError::Repository),
            (":1.0", ImageReferenceError::Repository),
            ("a//b", ImageReferenceError::Repository),
            ("a/B:1", ImageReferenceError::Repository),
            ("https://a/b", ImageReferenceError::Repository),
            ("a b", ImageReferenceError::Repository),
            ("a/b\n:1", ImageReferenceError::Repository),
            ("a/b:", ImageReferenceError::Tag),
            ("a/b:-1", ImageReferenceError::Tag),
            ("a/b:ä", ImageReferenceError::Tag),
            ("a/b@sha256:00", ImageReferenceError::Digest),
        ] {
            assert_eq!(text.parse::<ImageReference>(), Err(error), "{text:?}");
        }
    }
}
