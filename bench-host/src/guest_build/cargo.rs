//! Runs cargo: once to ask about the package, once to build it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::package::Place;
use super::{GuestBuildError, artefact};

/// What cargo knows about the package.
#[derive(Debug)]
pub(super) struct Package {
    pub id: String,
    pub name: String,
    pub workspace_root: PathBuf,
    /// Its library is a module and something else too, such as an `rlib` for its tests.
    pub is_more_than_a_module: bool,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Listed>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    name: String,
    manifest_path: PathBuf,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    crate_types: Vec<String>,
}

/// Asks cargo for the package's name and workspace.
pub(super) fn package(place: &Place) -> Result<Package, GuestBuildError> {
    let mut command = cargo(place, "metadata");
    let output = command
        .args(["--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(no_cargo)?;
    if !output.status.success() {
        return Err(GuestBuildError::BadManifest { manifest: place.manifest.clone() });
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| GuestBuildError::Output(error.into()))?;
    pick(metadata, &place.manifest)
        .ok_or_else(|| GuestBuildError::NoPackage { folder: folder_of(&place.manifest) })
}

fn pick(metadata: Metadata, manifest: &Path) -> Option<Package> {
    // The same file may be known under two paths.
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let manifest = real(manifest);
    let ours = metadata.packages.into_iter().find(|p| real(&p.manifest_path) == manifest)?;
    let is_more_than_a_module = ours.targets.iter().any(|target| {
        target.crate_types.len() > 1 && target.crate_types.iter().any(|kind| kind == "cdylib")
    });
    let workspace_root = metadata.workspace_root;
    Some(Package { id: ours.id, name: ours.name, workspace_root, is_more_than_a_module })
}

fn folder_of(manifest: &Path) -> PathBuf {
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Builds the package; cargo's progress and diagnostics go to stderr as they come.
pub(super) fn build(
    place: &Place,
    package: &Package,
    arguments: &[OsString],
) -> Result<PathBuf, GuestBuildError> {
    warn_of_flags(|variable| env::var_os(variable), io::stderr());
    // Cargo does not optimise over crates where an `rlib` comes out as well, whatever the profile
    // says: a module would be larger by a tenth and more.
    let (subcommand, only_the_module): (_, &[&str]) = if package.is_more_than_a_module {
        ("rustc", &["--lib", "--crate-type", "cdylib"])
    } else {
        ("build", &[])
    };
    let mut child = cargo(place, subcommand)
        .arg("--message-format=json-render-diagnostics")
        .args(only_the_module)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(no_cargo)?;
    let messages = child.stdout.take().map(BufReader::new);
    let module =
        messages.map_or(Ok(None), |messages| artefact::module(messages, &package.id, io::stderr()));
    let status = child.wait().map_err(GuestBuildError::Output)?;
    if !status.success() {
        let status = status.to_string();
        return Err(GuestBuildError::Failed { package: package.name.clone(), status });
    }
    module.map_err(GuestBuildError::Output)?.ok_or_else(|| GuestBuildError::NoModule {
        package: package.name.clone(),
        manifest: place.manifest.clone(),
    })
}

/// The profile `guest` as arguments, for a package whose workspace does not define it.
pub(super) fn profile_settings() -> impl Iterator<Item = OsString> {
    [
        "profile.guest.inherits=\"release\"",
        "profile.guest.codegen-units=1",
        "profile.guest.lto=\"fat\"",
        "profile.guest.panic=\"abort\"",
        "profile.guest.strip=\"debuginfo\"",
    ]
    .into_iter()
    .flat_map(|setting| ["--config".into(), setting.into()])
}

/// The flags of guests as arguments, for a package outside of any folder whose `.cargo` has them.
/// A guest without them searches without SIMD, its first memory has 17 pages, and its module is
/// larger by a fifteenth.
pub(super) fn flag_settings(target: &str) -> [OsString; 2] {
    const FLAGS: &str = concat!(
        r#"["-Ctarget-feature=+simd128", "#,
        r#""-Clink-args=-zstack-size=65536 --strip-debug --compress-relocations"]"#,
    );
    ["--config".into(), format!("target.{target}.rustflags={FLAGS}").into()]
}

fn cargo(place: &Place, subcommand: &str) -> Command {
    let mut command = Command::new(program());
    command
        .arg(subcommand)
        .arg("--manifest-path")
        .arg(&place.manifest)
        .current_dir(&place.folder)
        .stdin(Stdio::null());
    clean(&mut command);
    command
}

fn program() -> OsString {
    env::var_os("CARGO").filter(|cargo| !cargo.is_empty()).unwrap_or_else(|| "cargo".into())
}

fn no_cargo(reason: io::Error) -> GuestBuildError {
    GuestBuildError::NoToolchain { program: program().to_string_lossy().into_owned(), reason }
}

/// Takes out of a child's environment what an outer `cargo run`, `cargo test` or coverage run put
/// there about another package.
pub(super) fn clean(command: &mut Command) -> &mut Command {
    for (variable, _) in env::vars_os().filter(|(variable, _)| is_of_outer_cargo(variable)) {
        command.env_remove(variable);
    }
    command
}

fn is_of_outer_cargo(variable: &OsStr) -> bool {
    const NAMES: [&str; 8] = [
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_TMPDIR",
        "LLVM_PROFILE_FILE",
        "OUT_DIR",
    ];
    const PREFIXES: [&str; 4] =
        ["CARGO_PKG_", "CARGO_BIN_EXE_", "CARGO_LLVM_COV", "__CARGO_LLVM_COV"];
    let variable = variable.to_string_lossy();
    NAMES.contains(&&*variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

/// These variables replace the flags of `.cargo/config.toml`. They are the user's to set, and the
/// user should know what they do to a plugin.
fn warn_of_flags(get: impl Fn(&str) -> Option<OsString>, mut to: impl Write) {
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        if get(variable).is_some_and(|flags| !flags.is_empty()) {
            // Losing the warning is no reason not to build.
            let _ = writeln!(
                to,
                "warning: {variable} is set and replaces the guest's flags of .cargo/config.toml, \
                 such as simd128 and the stack size: unset it for a plugin that you measure or ship"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_picked_by_its_manifest() {
        let metadata = r#"{"packages":[
            {"id":"path+file:///ws/a#0.1.0","name":"a","manifest_path":"/ws/a/Cargo.toml","targets":[{"crate_types":["cdylib","rlib"]}]},
            {"id":"path+file:///ws/b#b-plugin@0.1.0","name":"b-plugin","manifest_path":"/ws/b/Cargo.toml"}
            ],"workspace_root":"/ws","target_directory":"/ws/target","version":1}"#;
        let read = || serde_json::from_str::<Metadata>(metadata).unwrap();
        let package = pick(read(), Path::new("/ws/b/Cargo.toml")).unwrap();
        assert_eq!(package.name, "b-plugin");
        assert_eq!(package.id, "path+file:///ws/b#b-plugin@0.1.0");
        assert_eq!(package.workspace_root, Path::new("/ws"));
        assert!(!package.is_more_than_a_module);
        let other = pick(read(), Path::new("/ws/a/Cargo.toml")).unwrap();
        assert!(other.is_more_than_a_module);
        assert!(pick(read(), Path::new("/ws/Cargo.toml")).is_none());
    }

    #[test]
    fn the_outer_cargo_stays_outside() {
        for variable in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "LLVM_PROFILE_FILE", "OUT_DIR"] {
            assert!(is_of_outer_cargo(OsStr::new(variable)), "{variable}");
        }
        for variable in ["CARGO", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR", "RUSTFLAGS"]
        {
            assert!(!is_of_outer_cargo(OsStr::new(variable)), "{variable}");
        }
    }

    #[test]
    fn flags_of_the_user_are_kept_and_mentioned() {
        let warning = |variable: &'static str, value: &'static str| {
            let mut to = Vec::new();
            warn_of_flags(|name| (name == variable).then(|| value.into()), &mut to);
            String::from_utf8(to).unwrap()
        };
        assert_eq!(warning("RUSTFLAGS", ""), "");
        assert_eq!(warning("PATH", "/bin"), "");
        insta::assert_snapshot!(warning("RUSTFLAGS", "-Cdebuginfo=2"), @"warning: RUSTFLAGS is set and replaces the guest's flags of .cargo/config.toml, such as simd128 and the stack size: unset it for a plugin that you measure or ship");
    }

    #[test]
    fn the_flags_are_those_of_this_checkout() {
        let text =
            fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../.cargo/config.toml"));
        let text = text.unwrap();
        let (_, ours) = text.split_once("[target.wasm32-wasip1]\nrustflags = ").unwrap();
        let [_, flags] = flag_settings("wasm32-wasip1");
        let flags = flags.to_string_lossy().into_owned();
        let (_, flags) = flags.split_once('=').unwrap();
        assert_eq!(flags, ours.lines().next().unwrap());
    }

    #[test]
    fn the_replacement_profile_is_the_workspace_s_own() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let text = fs::read_to_string(manifest).unwrap();
        let (_, ours) = text.split_once("[profile.guest]\n").unwrap();
        let ours =
            ours.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with('#'));
        let ours: Vec<_> =
            ours.map(|line| format!("profile.guest.{}", line.replace(" = ", "="))).collect();
        let settings: Vec<_> = profile_settings()
            .filter(|argument| argument != "--config")
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        assert_eq!(settings, ours);
    }
}
