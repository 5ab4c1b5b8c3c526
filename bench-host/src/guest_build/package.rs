//! Finds the folder of the package that is to be built.

use std::fs;
use std::path::{Path, PathBuf};

use super::GuestBuildError;

/// Where a package lies, and where cargo is to run for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder whose `.cargo/config.toml` counts: the workspace's for an example, the package's
    /// own for any other.
    pub folder: PathBuf,
    /// The package's `Cargo.toml`.
    pub manifest: PathBuf,
}

/// Looks for an example of the name in the nearest workspace that has it, then for a folder.
pub(super) fn find(from: &Path, example: &str) -> Result<Place, GuestBuildError> {
    let is_path = example.contains(['/', '\\']) || example.starts_with('.');
    let roots = || from.ancestors().filter(|folder| is_workspace(&folder.join("Cargo.toml")));
    if !is_path && !example.is_empty() {
        for root in roots() {
            let manifest = root.join("examples").join(example).join("Cargo.toml");
            if manifest.is_file() {
                return Ok(Place { folder: root.to_owned(), manifest });
            }
        }
    }

    let folder = from.join(example);
    let manifest = folder.join("Cargo.toml");
    if !example.is_empty() && manifest.is_file() {
        // An example by its path is still an example.
        let root = roots().find(|root| folder.starts_with(root.join("examples")));
        let folder = root.map_or(folder.clone(), Path::to_owned);
        return Ok(Place { folder, manifest });
    }
    if is_path {
        return Err(GuestBuildError::NoManifest { folder });
    }
    let example = example.to_owned();
    match roots().next() {
        Some(root) => {
            let examples = root.join("examples");
            let known = examples_in(&examples);
            Err(GuestBuildError::NoSuchExample { example, examples, known })
        }
        None => Err(GuestBuildError::NoWorkspace { example, from: from.to_owned() }),
    }
}

/// The folders that hold a package, sorted.
fn examples_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn is_workspace(manifest: &Path) -> bool {
    has_table(manifest, |table| table == "workspace" || table.starts_with("workspace."))
}

/// Whether the manifest in `root` defines a profile of this name.
pub(super) fn has_profile(root: &Path, name: &str) -> bool {
    has_table(&root.join("Cargo.toml"), |table| {
        table.strip_prefix("profile.").is_some_and(|rest| rest == name)
    })
}

/// Whether cargo, run in this folder, finds flags of its own for a target.
pub(super) fn has_flags(folder: &Path, target: &str) -> bool {
    let header = format!("target.{target}");
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    folder.ancestors().any(|folder| {
        let config = folder.join(".cargo");
        ["config.toml", "config"].iter().any(|name| {
            has_table(&config.join(name), |table| table.replace(['"', '\''], "") == header)
        })
    })
}

/// Whether a manifest has a table header that satisfies `wanted`. Headers stand on lines of their
/// own, so this needs no parser.
fn has_table(manifest: &Path, wanted: impl Fn(&str) -> bool) -> bool {
    let Ok(text) = fs::read_to_string(manifest) else { return false };
    text.lines().any(|line| {
        let header = line.trim().strip_prefix('[').and_then(|rest| rest.split_once(']'));
        header.is_some_and(|(table, _)| wanted(table.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace with two examples, and a package of its own next to it.
    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("here/Cargo.toml", "# Ours.\n[workspace] # all\nmembers = []\n\n[profile.guest]\n");
        write("here/examples/hello/Cargo.toml", "[package]\nname = \"hello-plugin\"\n");
        write("here/examples/mask/Cargo.toml", "[package]\nname = \"mask-plugin\"\n");
        write("here/examples/README.md", "");
        write("here/host/src/lib.rs", "");
        write("here/host/Cargo.toml", "[package]\nname = \"host\"\nedition.workspace = true\n");
        write("other/plugin/Cargo.toml", "[package]\nname = \"plugin\"\n");
        folder
    }

    #[test]
    fn flags_are_those_of_the_folder_and_of_all_above_it() {
        let tree = tree();
        let folder = tree.path().join("other/plugin");
        assert!(!has_flags(&folder, "wasm32-wasip1"));
        let config = tree.path().join("other/.cargo");
        fs::create_dir(&config).unwrap();
        let write = |text| fs::write(config.join("config.toml"), text).unwrap();
        write("[target.'cfg(unix)']\nrustflags = []\n");
        assert!(!has_flags(&folder, "wasm32-wasip1"));
        write("[target.wasm32-wasip1] # ours\nrustflags = []\n");
        assert!(has_flags(&folder, "wasm32-wasip1"));
        assert!(!has_flags(&tree.path().join("here"), "wasm32-wasip1"));
    }

    #[test]
    fn an_example_is_found_from_anywhere_in_the_workspace() {
        let tree = tree();
        let root = tree.path().join("here");
        let manifest = root.join("examples/hello/Cargo.toml");
        for from in ["", "host", "host/src", "examples", "examples/hello"] {
            let place = find(&root.join(from), "hello").unwrap();
            assert_eq!(place, Place { folder: root.clone(), manifest: manifest.clone() }, "{from}");
        }
        let by_path = find(&root, "examples/hello").unwrap();
        assert_eq!(by_path, Place { folder: root, manifest });
    }

    #[test]
    fn any_folder_with_a_package_will_do() {
        let tree = tree();
        let folder = tree.path().join("other/plugin");
        let manifest = folder.join("Cargo.toml");
        for (from, example) in [("other", "plugin"), ("other", "./plugin"), ("", "other/plugin")] {
            let place = find(&tree.path().join(from), example).unwrap();
            assert_eq!(
                fs::canonicalize(&place.manifest).unwrap(),
                manifest.canonicalize().unwrap()
            );
            assert!(place.folder.ends_with("plugin"), "{place:?}");
        }
        let absolute = find(&tree.path().join("here"), folder.to_str().unwrap()).unwrap();
        assert_eq!(absolute, Place { folder, manifest });
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let tree = tree();
        let error = find(&tree.path().join("here/host"), "helo").unwrap_err().to_string();
        assert!(error.ends_with("here/examples: it has hello, mask"), "{error}");
        for nothing in ["", "README.md"] {
            let error = find(&tree.path().join("here"), nothing).unwrap_err();
            assert!(matches!(error, GuestBuildError::NoSuchExample { .. }), "{error}");
        }
        let error = find(&tree.path().join("here"), "./examples").unwrap_err();
        assert!(matches!(error, GuestBuildError::NoManifest { .. }), "{error}");
        let error = find(&tree.path().join("other"), "hello").unwrap_err();
        assert!(matches!(error, GuestBuildError::NoWorkspace { .. }), "{error}");
    }

    #[test]
    fn profiles_are_found_by_their_headers() {
        let tree = tree();
        assert!(has_profile(&tree.path().join("here"), "guest"));
        assert!(!has_profile(&tree.path().join("here"), "gues"));
        assert!(!has_profile(&tree.path().join("other/plugin"), "guest"));
        assert!(!has_profile(&tree.path().join("nowhere"), "guest"));
    }
}
