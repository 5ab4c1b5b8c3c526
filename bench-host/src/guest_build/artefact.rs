//! Picks the module out of what cargo says it built.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use serde::Deserialize;

/// One line of `--message-format=json`, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    crate_types: Vec<String>,
}

/// Reads cargo's messages to their end and returns the `.wasm` file of the package, its library
/// rather than a program. Lines that are no messages, as macros may print, go to `others`.
pub(super) fn module(
    messages: impl BufRead,
    package_id: &str,
    mut others: impl Write,
) -> io::Result<Option<PathBuf>> {
    let mut module = None;
    for line in messages.split(b'\n') {
        let line = line?;
        let Ok(message) = serde_json::from_slice::<Message>(&line) else {
            others.write_all(&line)?;
            others.write_all(b"\n")?;
            continue;
        };
        if message.reason != "compiler-artifact" || message.package_id != package_id {
            continue;
        }
        let is_library = message
            .target
            .is_some_and(|target| target.crate_types.iter().any(|kind| kind == "cdylib"));
        let mut files = message.filenames.into_iter();
        if let Some(file) = files.find(|file| file.extension().is_some_and(|end| end == "wasm"))
            && (is_library || module.is_none())
        {
            module = Some(file);
        }
    }
    Ok(module)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const OURS: &str = "path+file:///ws/examples/hello#hello-plugin@0.1.0";

    fn artefact(package: &str, kind: &str, files: &[&str]) -> String {
        let target = serde_json::json!({ "kind": [kind], "crate_types": [kind], "name": "x" });
        serde_json::json!({
            "reason": "compiler-artifact",
            "package_id": package,
            "manifest_path": "/ws/examples/hello/Cargo.toml",
            "target": target,
            "filenames": files,
            "executable": null,
            "fresh": true,
        })
        .to_string()
    }

    fn read(lines: &[String]) -> (Option<PathBuf>, String) {
        let mut others = Vec::new();
        let module = module(lines.join("\n").as_bytes(), OURS, &mut others).unwrap();
        (module, String::from_utf8(others).unwrap())
    }

    #[test]
    fn the_module_of_the_package_is_picked() {
        let (module, others) = read(&[
            r#"{"reason":"build-script-executed","package_id":"registry+x#libc@0.2.0"}"#.into(),
            artefact("path+file:///ws/examples/mask#0.1.0", "cdylib", &["/t/mask.wasm"]),
            artefact("registry+x#memchr@2.8.3", "lib", &["/t/libmemchr.rlib", "/t/m.rmeta"]),
            artefact(OURS, "cdylib", &["/t/hello_plugin.d", "/t/hello_plugin.wasm"]),
            r#"{"reason":"build-finished","success":true}"#.into(),
        ]);
        assert_eq!(module.as_deref(), Some(Path::new("/t/hello_plugin.wasm")));
        assert_eq!(others, "");
    }

    #[test]
    fn a_library_goes_before_a_program() {
        let library = artefact(OURS, "cdylib", &["/t/library.wasm"]);
        let program = artefact(OURS, "bin", &["/t/program.wasm"]);
        for lines in [[library.clone(), program.clone()], [program.clone(), library]] {
            assert_eq!(read(&lines).0.as_deref(), Some(Path::new("/t/library.wasm")));
        }
        assert_eq!(read(&[program]).0.as_deref(), Some(Path::new("/t/program.wasm")));
    }

    #[test]
    fn without_a_cdylib_there_is_no_module() {
        let lines = [artefact(OURS, "lib", &["/t/libhello_plugin.rlib"])];
        assert_eq!(read(&lines), (None, String::new()));
        assert_eq!(read(&[]).0, None);
    }

    #[test]
    fn other_lines_are_passed_on() {
        let lines = [
            "a macro says hello".to_owned(),
            artefact(OURS, "cdylib", &["/t/hello.wasm"]),
            "{}".to_owned(),
        ];
        let (module, others) = read(&lines);
        assert_eq!(module.as_deref(), Some(Path::new("/t/hello.wasm")));
        assert_eq!(others, "a macro says hello\n{}\n");
    }
}
