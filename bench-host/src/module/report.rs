//! What `inspect` prints.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use super::facts::{Import, Kind};
use super::{Facts, Module, Offered};

/// Bytes in a page of linear memory.
const PAGE: u64 = 65_536;

/// The facts of a module as plain text for a terminal, sections and imports in aligned columns.
///
/// # Cost
/// Allocates the text; meant for people.
#[must_use]
pub fn text(module: &Module) -> String {
    let facts = &module.facts;
    let mut out = format!("{}\n", module.path.display());
    for (label, value) in summary(facts) {
        line(&mut out, format_args!("  {label:<10} {value}"));
    }
    if let Err(reason) = facts.loadable() {
        line(&mut out, format_args!("\nNo host loads this as a plugin: {reason}."));
    }
    sections(&mut out, facts);
    imports(&mut out, facts);
    exports(&mut out, facts);
    out
}

fn summary(facts: &Facts) -> Vec<(&'static str, String)> {
    let abi = facts.abi.map_or_else(|| "none".to_owned(), |abi| abi.to_string());
    let mut rows = vec![
        ("size", size(facts.bytes)),
        ("sha256", facts.sha256.clone()),
        ("ABI", abi),
        ("SDK", "unknown".to_owned()),
    ];
    if let Some(sdk) = &facts.sdk {
        let version = sdk.version.as_deref().unwrap_or("(version unknown)");
        rows.pop();
        rows.push(("SDK", printable(&format!("{} {version}", sdk.name)).into_owned()));
        let setting = |key, value| printable(&format!("{key} = {value}")).into_owned();
        rows.extend(sdk.settings.iter().map(|(key, value)| ("", setting(key, value))));
    }
    if let Some(language) = &facts.language {
        rows.push(("language", printable(language).into_owned()));
    }
    let tools: Vec<_> = facts
        .producers
        .iter()
        .filter(|producer| producer.field != "language")
        .map(|producer| format!("{} {}", producer.name, producer.version))
        .map(|tool| printable(tool.trim_end()).into_owned())
        .collect();
    if !tools.is_empty() {
        rows.push(("built with", tools.join(", ")));
    }
    rows.push(("start", joined(facts.start.iter(), "nothing to call")));
    rows.push(("allocator", facts.allocator.unwrap_or("none").to_owned()));
    rows.push(("memory", memory(facts)));
    let stack = facts.stack_bytes.map_or_else(|| "unknown".to_owned(), size);
    rows.push(("stack", stack));
    let names = if facts.has_names { "with" } else { "without" };
    rows.push(("functions", format!("{}, {names} names", grouped(facts.functions.into()))));
    let features = facts.features.iter().map(|feature| feature.replace('_', " "));
    rows.push(("features", joined(features, "none beyond the first version")));
    rows
}

fn memory(facts: &Facts) -> String {
    let Some(memory) = &facts.memory else { return "none".to_owned() };
    let pages =
        |pages: u64| format!("{} page{}", grouped(pages), if pages == 1 { "" } else { "s" });
    let first = memory.pages_initial;
    let most = memory
        .pages_max
        .map_or_else(|| "no limit".to_owned(), |most| format!("at most {}", pages(most)));
    let exported = if memory.exported { "" } else { ", not exported" };
    format!("{}, {} at first, {most}{exported}", pages(first), size(first.saturating_mul(PAGE)))
}

fn sections(out: &mut String, facts: &Facts) {
    if facts.sections.is_empty() {
        return;
    }
    out.push_str("\nSections\n");
    let name = |section: &super::Section| match section.custom {
        true => format!("custom {:?}", section.name),
        false => section.name.clone(),
    };
    let width = facts.sections.iter().map(|s| name(s).chars().count()).max().unwrap_or(0);
    for section in &facts.sections {
        // A section counts at most as many bytes as the file, which is in memory.
        let percent = section.bytes as f64 * 100.0 / facts.bytes as f64;
        let (name, bytes) = (name(section), grouped(section.bytes));
        line(out, format_args!("  {name:<width$}  {bytes:>11}  {percent:>5.1} %"));
    }
}

fn imports(out: &mut String, facts: &Facts) {
    let (known, unknown): (Vec<_>, Vec<_>) = facts.imports.iter().partition(|import| import.known);
    list(out, "Imports that hosts offer", &known, |import| match import.offered {
        Some(Offered::Higress) => "  Higress only",
        _ => "",
    });
    list(out, "Imports that no host offers", &unknown, |import| match import.offered {
        Some(Offered::Abi0_1_0) => "  under ABI 0.1.0 only",
        Some(Offered::Abi0_2_0) => "  from ABI 0.2.0 on",
        Some(Offered::Abi0_2_1) => "  from ABI 0.2.1 on",
        _ => here(import),
    });
    if !unknown.is_empty() {
        out.push_str("  Proxies refuse a module that imports what they do not offer.\n");
    }
}

/// What the bench host makes of an import that no other host offers.
fn here(import: &Import) -> &'static str {
    match (import.kind, import.module.as_str(), import.name.as_str()) {
        (Kind::Function, "env", "abort" | "seed") => "  AssemblyScript's; the bench host has it",
        (Kind::Function, "wasi_snapshot_preview1" | "wasi_unstable", _) => {
            "  here a stub that answers 52 (not supported); replay counts its calls"
        }
        (Kind::Function, ..) if import.signature.ends_with("-> i32") => {
            "  here a stub that answers 12 (unimplemented); replay counts its calls"
        }
        (Kind::Function, ..) => "  here a stub that does nothing; replay counts its calls",
        _ => "  not a function: the module loads nowhere, nor here",
    }
}

fn list(
    out: &mut String,
    title: &str,
    imports: &[&Import],
    note: impl Fn(&Import) -> &'static str,
) {
    if imports.is_empty() {
        return;
    }
    line(out, format_args!("\n{title} ({})", imports.len()));
    let name =
        |import: &Import| printable(&format!("{}.{}", import.module, import.name)).into_owned();
    let width = imports.iter().map(|import| name(import).chars().count()).max().unwrap_or(0);
    for import in imports {
        let (name, signature, note) =
            (name(import), of_kind(import.kind, &import.signature), note(import));
        line(out, format_args!("  {name:<width$}  {signature}{note}"));
    }
}

fn exports(out: &mut String, facts: &Facts) {
    if facts.exports.is_empty() {
        return;
    }
    line(out, format_args!("\nExports ({})", facts.exports.len()));
    let names: Vec<_> = facts.exports.iter().map(|export| printable(&export.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    for (export, name) in facts.exports.iter().zip(names) {
        let signature = of_kind(export.kind, &export.signature);
        let note = match facts.refused_callback(export) {
            true => "  not as under its ABI version; proxies refuse the module",
            false => "",
        };
        line(out, format_args!("  {name:<width$}  {signature}{note}"));
    }
}

/// What a module calls things, for a terminal that must not obey it: characters that move the
/// cursor or turn the direction of text around are written as escapes.
fn printable(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for c in text.chars() {
        if obeyed(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Most things are functions, whose signature is unmistakable.
fn of_kind(kind: Kind, signature: &str) -> String {
    match kind {
        Kind::Function => signature.to_owned(),
        _ => format!("{kind} {signature}"),
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}

fn joined(items: impl Iterator<Item = impl Display>, none: &str) -> String {
    let items: Vec<_> = items.map(|item| item.to_string()).collect();
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

/// Exact bytes, and in the unit that reads best where that differs.
fn size(bytes: u64) -> String {
    let exact = format!("{} bytes", grouped(bytes));
    let (unit, divisor) = match bytes {
        0..1024 => return exact,
        1024..0x10_0000 => ("KiB", 1024.0),
        0x10_0000..0x4000_0000 => ("MiB", 1024.0 * 1024.0),
        _ => ("GiB", 1024.0 * 1024.0 * 1024.0),
    };
    let value = format!("{:.1}", bytes as f64 / divisor);
    format!("{exact} ({} {unit})", value.trim_end_matches(".0"))
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut groups: Vec<&str> = if first > 0 { vec![&digits[..first]] } else { vec![] };
    groups.extend((first..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::module;
    use super::*;

    #[test]
    fn a_plugin_in_full() {
        let module = module(
            r#"(module
                (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
                (import "env" "proxy_set_buffer_bytes" (func (param i32 i32 i32 i32 i32) (result i32)))
                (import "env" "proxy_get_upstream_hosts" (func (param i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
                (import "env" "proxy_continue_request" (func (result i32)))
                (import "__wbindgen_placeholder__" "__wbindgen_describe" (func (param i32)))
                (global $__stack_pointer (mut i32) (i32.const 65536))
                (memory (export "memory") 2)
                (func $marker (export "proxy_abi_version_0_2_1"))
                (func $allocate (export "proxy_on_memory_allocate") (param i32) (result i32)
                    (memory.fill (i32.const 0) (i32.const 0) (local.get 0)) (i32.const 65536))
                (func (export "_initialize"))
                (data (i32.const 65536) "some static data")
                (@custom "chunkwise" "version=0.1.0\nabi=0.2.1\narena=65536\n")
                (@producers (language "Rust" "") (processed-by "rustc" "1.95.0 (59807616e 2026-04-14)")))"#,
        );
        insta::assert_snapshot!(text(&module), @r#"
        plugin.wasm
          size       573 bytes
          sha256     80d22790af90affcadb871b0d4ab762b00441257a5843bef86ef7a6630156f41
          ABI        0.2.1
          SDK        chunkwise 0.1.0
                     abi = 0.2.1
                     arena = 65536
          language   Rust
          built with rustc 1.95.0 (59807616e 2026-04-14)
          start      _initialize
          allocator  proxy_on_memory_allocate
          memory     2 pages, 131 072 bytes (128 KiB) at first, no limit
          stack      65 536 bytes (64 KiB)
          functions  3, with names
          features   bulk memory

        Sections
          type                         49    8.6 %
          import                      190   33.2 %
          function                      6    1.0 %
          memory                        5    0.9 %
          global                       10    1.7 %
          export                       79   13.8 %
          code                         25    4.4 %
          data                         26    4.5 %
          custom "chunkwise"           48    8.4 %
          custom "producers"           79   13.8 %
          custom "name"                48    8.4 %

        Imports that hosts offer (4)
          env.proxy_log                    (i32, i32, i32) -> i32
          env.proxy_set_buffer_bytes       (i32, i32, i32, i32, i32) -> i32
          env.proxy_get_upstream_hosts     (i32, i32) -> i32  Higress only
          wasi_snapshot_preview1.fd_write  (i32, i32, i32, i32) -> i32

        Imports that no host offers (2)
          env.proxy_continue_request                    () -> i32  under ABI 0.1.0 only
          __wbindgen_placeholder__.__wbindgen_describe  (i32)  here a stub that does nothing; replay counts its calls
          Proxies refuse a module that imports what they do not offer.

        Exports (4)
          memory                    memory 2.. pages
          proxy_abi_version_0_2_1   ()
          proxy_on_memory_allocate  (i32) -> i32
          _initialize               ()
        "#);
    }

    #[test]
    fn header_callbacks_of_another_version_are_named() {
        let listed = |version: &str, params: &str| {
            let module = module(&format!(
                r#"(module (memory (export "memory") 1)
                    (func (export "proxy_abi_version_{version}"))
                    (func (export "proxy_on_log") (param i32))
                    (func (export "proxy_on_response_headers") (param {params}) (result i32)
                        (i32.const 0)))"#
            ));
            let text = text(&module);
            let refused: Vec<_> = text.lines().filter(|line| line.contains("refuse")).collect();
            refused.join("\n")
        };
        assert_eq!(listed("0_1_0", "i32 i32"), "");
        assert_eq!(listed("0_2_1", "i32 i32 i32"), "");
        insta::assert_snapshot!(listed("0_1_0", "i32 i32 i32"), @"  proxy_on_response_headers  (i32, i32, i32) -> i32  not as under its ABI version; proxies refuse the module");
        insta::assert_snapshot!(listed("0_2_1", "i32 i32"), @"  proxy_on_response_headers  (i32, i32) -> i32  not as under its ABI version; proxies refuse the module");
    }

    #[test]
    fn a_module_that_is_no_plugin() {
        insta::assert_snapshot!(text(&module("(module)")), @r"
        plugin.wasm
          size       8 bytes
          sha256     93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476
          ABI        none
          SDK        unknown
          start      nothing to call
          allocator  none
          memory     none
          stack      unknown
          functions  0, without names
          features   none beyond the first version

        No host loads this as a plugin: the module exports no ABI marker such as `proxy_abi_version_0_2_1`: link a proxy-wasm SDK, and build a `cdylib` so that the linker keeps its exports.
        ");
    }

    #[test]
    fn what_becomes_of_an_unknown_import_is_said() {
        let report = text(&module(
            r#"(module
                (import "env" "abort" (func (param i32 i32 i32 i32)))
                (import "env" "proxy_of_the_future" (func (result i32)))
                (import "wasi_unstable" "proc_raise" (func (param i32) (result i32)))
                (import "env" "memory" (memory 1)))"#,
        ));
        let (_, imports) = report.split_once("no host offers").unwrap();
        insta::assert_snapshot!(imports, @r"
         (4)
          env.abort                 (i32, i32, i32, i32)  AssemblyScript's; the bench host has it
          env.proxy_of_the_future   () -> i32  here a stub that answers 12 (unimplemented); replay counts its calls
          wasi_unstable.proc_raise  (i32) -> i32  here a stub that answers 52 (not supported); replay counts its calls
          env.memory                memory 1.. pages  not a function: the module loads nowhere, nor here
          Proxies refuse a module that imports what they do not offer.
        ");
    }

    #[test]
    fn names_do_not_steer_the_terminal() {
        let report = text(&module(
            r#"(module
                (import "a\1b[2J" "b\0a" (func))
                (func (export "\u{202e}tixe\07"))
                (@custom "chunkwise" "version=\0d1\nabi=\1b[31m\n")
                (@producers (language "C\08" "") (processed-by "tool\09" "1")))"#,
        ));
        assert!(!report.contains(|c: char| c != '\n' && c.is_control()), "{report:?}");
        for shown in [r"a\u{1b}[2J.b\n", r"\u{202e}tixe\u{7}", r"abi = \u{1b}[31m", r"C\u{8}"] {
            assert!(report.contains(shown), "{shown}: {report}");
        }
    }

    #[test]
    fn numbers_are_for_reading() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(size(1023), "1 023 bytes");
        assert_eq!(size(65_536), "65 536 bytes (64 KiB)");
        assert_eq!(size(1_500_000), "1 500 000 bytes (1.4 MiB)");
        assert_eq!(size(u64::from(u32::MAX) + 1), "4 294 967 296 bytes (4 GiB)");
    }
}
