//! A profile on a terminal.

use std::collections::HashMap;
use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table};

use super::points::Point;
use super::profile::Profile;
use crate::report::numbers::{count, counted};
use crate::report::table::STYLE;
use crate::units::format_bytes;

/// Frames of a call stack that are shown: the innermost ones, up to the plugin's own code.
const SHOWN: usize = 4;

/// The profile as text: totals, and the call stacks that have most.
///
/// `lives` says whether blocks are seen when they are freed; where they are not, or where nothing is
/// known of the heap, there are fewer tables.
#[must_use]
pub fn text(profile: &Profile, heap: bool, lives: bool, top: usize) -> String {
    let mut out = String::new();
    if heap {
        totals(&mut out, profile, lives);
        let sites =
            |out: &mut String, title: &str, of: fn(&Point) -> (u64, u64), by: fn(&Point) -> u64| {
                ranked(out, title, profile, &profile.points, ["bytes", "blocks"], of, by, top);
            };
        if lives {
            sites(
                &mut out,
                "Most bytes at the peak",
                |p| (p.peak_bytes, p.peak_blocks),
                |p| p.peak_bytes,
            );
        }
        sites(
            &mut out,
            "Most bytes in all",
            |p| (p.total_bytes, p.total_blocks),
            |p| p.total_bytes,
        );
        if lives {
            sites(
                &mut out,
                "Most blocks left at the end",
                |p| (p.live_bytes, p.live_blocks),
                |p| p.live_blocks,
            );
        }
    }
    let growth = &profile.growth;
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "Memory: {} at first, {} more in {}{}",
        counted(growth.initial_pages, "page", "pages"),
        counted(growth.grown_pages, "page", "pages"),
        counted(growth.grows, "step", "steps"),
        if growth.refused > 0 {
            format!("; {} refused", count(growth.refused))
        } else {
            String::new()
        },
    );
    let by = |p: &Point| p.total_bytes;
    let of = |p: &Point| (p.total_bytes, p.total_blocks);
    ranked(&mut out, "Who made it grow", profile, &growth.points, ["bytes", "steps"], of, by, top);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn totals(out: &mut String, profile: &Profile, lives: bool) {
    let mut line = |what: &str, (bytes, blocks): (u64, u64), rest: &str| {
        let blocks = counted(blocks, "block", "blocks");
        let _ = writeln!(out, "{what:<8}{} in {blocks}{rest}", format_bytes(bytes));
    };
    line("total", profile.total, "");
    if lives {
        let at =
            format!(", after {} of {} instructions", count(profile.peak_at), count(profile.end));
        line("peak", profile.peak, &at);
        line("left", profile.left, " at the end");
        if profile.ended_vms > 0 {
            let vms = counted(profile.ended_vms, "VM", "VMs");
            line("lost", profile.lost, &format!(" with {vms} that ended before the run did"));
        }
        for (blocks, what) in [
            (profile.unseen_frees, "handed out again without having been seen to be freed"),
            (profile.unknown_frees, "freed without having been seen to be allocated"),
        ] {
            if blocks > 0 {
                let blocks = counted(blocks, "block was", "blocks were");
                let _ = writeln!(
                    out,
                    "note: {blocks} {what}: the optimiser has inlined a part of the allocator, so \
                     lifetimes, the peak and what is left are not exact"
                );
            }
        }
    }
    out.push('\n');
}

/// Call stacks that a reader cannot tell apart share a line.
#[expect(clippy::too_many_arguments, reason = "a title, a head and two columns for each table")]
fn ranked(
    out: &mut String,
    title: &str,
    profile: &Profile,
    points: &[Point],
    heads: [&str; 2],
    of: fn(&Point) -> (u64, u64),
    by: fn(&Point) -> u64,
    top: usize,
) {
    let mut places: Vec<(u64, (u64, u64), String)> = Vec::new();
    let mut numbers = HashMap::new();
    for point in points.iter().filter(|point| by(point) > 0) {
        let place = place(profile, point);
        let number = *numbers.entry(place.clone()).or_insert(places.len());
        if number == places.len() {
            places.push((0, (0, 0), place));
        }
        let (rank, (bytes, blocks), _) = &mut places[number];
        let (more_bytes, more_blocks) = of(point);
        *rank += by(point);
        *bytes += more_bytes;
        *blocks += more_blocks;
    }
    // Equal ones keep the order in which they came.
    places.sort_by_key(|(rank, ..)| std::cmp::Reverse(*rank));
    if places.is_empty() || top == 0 {
        return;
    }
    let _ = writeln!(out, "{title}");
    let mut table = Table::new();
    table.load_style(STYLE).set_header([heads[0], heads[1], "where"]);
    let more = places.len().saturating_sub(top);
    for (_, (bytes, blocks), place) in places.into_iter().take(top) {
        table.add_row([count(bytes), count(blocks), place]);
    }
    for (column, cells) in table.column_iter_mut().enumerate() {
        cells.set_padding((0, 1));
        if column < 2 {
            cells.set_cell_alignment(CellAlignment::Right);
        }
    }
    for text in table.lines() {
        let _ = writeln!(out, "{}", text.trim_end());
    }
    if more > 0 {
        let _ = writeln!(out, "and {} more", count(more as u64));
    }
    out.push('\n');
}

/// The innermost frame, what is outside of it up to the plugin's own code, and the callback.
fn place(profile: &Profile, point: &Point) -> String {
    let names: Vec<String> = point
        .stack
        .iter()
        .filter_map(|frame| profile.frames.get(*frame as usize))
        .map(|text| short(text.split_once(": ").map_or(text.as_str(), |(_, name)| name)))
        .collect();
    let own = names.iter().position(|name| !is_library(name));
    let Some(own) = own else { return names.into_iter().next().unwrap_or_else(|| "?".to_owned()) };
    let mut shown: Vec<&str> = Vec::new();
    for name in names[..own].iter().take(SHOWN - 1) {
        // Inlining and generic code make neighbours that a reader cannot tell apart.
        if shown.last() != Some(&name.as_str()) {
            shown.push(name);
        }
    }
    shown.push(&names[own]);
    let mut text = shown.join(" ← ");
    // The callback, which is outermost.
    if let Some(callback) = names[own + 1..].last() {
        text.push_str(if names.len() > own + 2 { " ⋯ " } else { " ← " });
        text.push_str(callback);
    }
    text
}

/// Whether a frame belongs to a language's library: a reader looks for their own code.
fn is_library(name: &str) -> bool {
    // `<alloc::vec::Vec<u8> as …>::f` belongs to where the type does, `<u8 as Trait>::f` to where
    // the trait does.
    let name = name.trim_start_matches(['<', '&', '[', '(']);
    let name = match name.split_once(" as ") {
        Some((of, as_what)) if !of.contains("::") => as_what,
        _ => name,
    };
    ["alloc::", "core::", "std::", "hashbrown::", "~lib/", "void std::", "__rust", "_R"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// A name of a bearable length: without what lies between `<` and `>` or in parentheses, but for
/// the type that a method of Rust begins with.
fn short(name: &str) -> String {
    const MOST: usize = 60;
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    let (type_of, rest) = match name.strip_prefix('<') {
        Some(inner) => {
            let end = inner.find([' ', '<']).unwrap_or(inner.len());
            (Some(&inner[..end]), inner)
        }
        None => (None, name),
    };
    let mut text = String::new();
    let mut depth = usize::from(type_of.is_some());
    for c in rest.chars() {
        match c {
            '<' | '(' => {
                if depth == 0 {
                    text.push(c);
                    text.push('…');
                }
                depth += 1;
            }
            '>' | ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && !(text.is_empty() && type_of.is_some()) {
                    text.push(c);
                }
            }
            c if depth == 0 => text.push(c),
            _ => {}
        }
    }
    let text = match type_of {
        Some(type_of) => format!("<{type_of} …>{text}"),
        None => text,
    };
    let over = text.chars().count().saturating_sub(MOST);
    if over == 0 {
        return text;
    }
    let rest: String = text.chars().skip(over).collect();
    format!("…{}", rest.find("::").map_or(rest.as_str(), |at| &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::Growth;

    fn profile() -> Profile {
        let point = |stack: &[u32], bytes: u64, left: u64| Point {
            stack: stack.into(),
            total_bytes: bytes,
            total_blocks: 3,
            live_bytes: left * 8,
            live_blocks: left,
            peak_bytes: bytes / 2,
            peak_blocks: 2,
            ..Point::default()
        };
        let names = [
            "[root]",
            "0x10: alloc::raw_vec::grow",
            "0x20: plugin::body",
            "0x30: proxy_on_request_body",
            "[memory that the module begins with]",
        ];
        Profile {
            frames: names.map(str::to_owned).to_vec(),
            points: vec![point(&[1, 2, 3], 1_000, 0), point(&[2, 3], 9_000, 4)],
            growth: Growth {
                points: vec![point(&[4], 131_072, 0), point(&[1, 2], 65_536, 0)],
                initial_pages: 2,
                grown_pages: 1,
                grows: 1,
                refused: 1,
            },
            end: 123_456,
            peak_at: 1_234,
            total: (10_000, 6),
            peak: (5_000, 4),
            left: (32, 4),
            ..Profile::default()
        }
    }

    #[test]
    fn the_largest_come_first() {
        insta::assert_snapshot!(text(&profile(), true, true, 10));
    }

    #[test]
    fn libraries_are_told_from_a_plugins_own_code() {
        for name in [
            "alloc::vec::f",
            "<alloc::vec::Vec<T> as core::fmt::Write>::write",
            "<u8 as alloc::vec::SpecFromElem>::from_elem",
            "std::f",
        ] {
            assert!(is_library(name), "{name}");
        }
        for name in [
            "plugin::f",
            "<plugin::F as core::fmt::Display>::fmt",
            "<u8 as plugin::Trait>::f",
            "proxy_on_log",
        ] {
            assert!(!is_library(name), "{name}");
        }
    }

    #[test]
    fn long_names_keep_what_they_are_about() {
        let cpp = "std::__1::basic_string<char, std::__1::char_traits<char>, std::__1::allocator<char>>::append(char const*)";
        assert_eq!(short(cpp), "std::__1::basic_string<…>::append(…)");
        let rust = "<plugin::filter::Replace<alloc::vec::Vec<u8>> as chunkwise::filter::Filter<plugin::Replace>>::request_body";
        assert_eq!(short(rust), "<plugin::filter::Replace …>::request_body");
        assert_eq!(short("f<T>(x)"), "f<T>(x)");
        let deep = format!("{}::f", "module::".repeat(20));
        assert_eq!(short(&deep), format!("…{}::::f", "::module".repeat(6)));
        short(&format!("{}>>)", "<(".repeat(40)));
    }

    #[test]
    fn what_was_not_seen_is_said() {
        let profile = Profile { unseen_frees: 1, unknown_frees: 2, ..profile() };
        let text = text(&profile, true, true, 0);
        assert!(text.contains("note: 1 block was handed out again without"), "{text}");
        assert!(text.contains("note: 2 blocks were freed without"), "{text}");
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        insta::assert_snapshot!("only_totals", text(&profile(), true, false, 1));
        insta::assert_snapshot!("only_growth", text(&profile(), false, false, 1));
    }
}
