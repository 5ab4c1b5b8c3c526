//! What in a result should make people look twice.

use super::ResultFile;
use super::numbers::{count, counted};
use crate::host::Level;

/// Stack frames of the first crash that are shown.
const FRAMES: usize = 10;

/// Lines of the plugin's log that are shown.
const LINES: usize = 5;

/// Characters of a text by others that are shown.
const WIDTH: usize = 160;

/// Characters of a reason, which is the host's own text but for details of the plugin's.
const REASON: usize = 480;

/// Lines of text, the worst first; none when all went well.
pub(super) fn warnings(result: &ResultFile) -> Vec<String> {
    let mut lines = Vec::new();
    crashes(&mut lines, result);
    if result.requests.failed > 0 {
        lines.push(format!("{} failed", counted(result.requests.failed, "request", "requests")));
        let why = result.requests.failed_because.iter().take(LINES);
        lines.extend(
            why.map(|(why, number)| format!("  {} x {}", count(*number), cut(why, REASON))),
        );
    }
    let refused = &result.plugin.not_offered;
    if !refused.is_empty() {
        let names: Vec<_> = refused.iter().take(LINES).map(|name| plain(name)).collect();
        let more = refused.len().saturating_sub(LINES) as u64;
        let more = if more > 0 { format!(" and {}", count(more)) } else { String::new() };
        let names = format!("{}{more}", names.join(", "));
        lines.push(format!("imports that no proxy offers, so proxies refuse the module: {names}"));
    }
    let stubs = result.stubbed_imports.iter();
    let stubs: Vec<_> = stubs.map(|(name, n)| format!("{} ({})", plain(name), count(*n))).collect();
    if !stubs.is_empty() {
        lines.push(format!("calls that this host does not implement: {}", stubs.join(", ")));
    }
    let unmatched = &result.unmatched_calls;
    if unmatched.count > 0 {
        let calls = counted(unmatched.count, "call", "calls");
        lines.push(format!("{calls} that no upstream script answers:"));
        lines.extend(unmatched.first.iter().take(LINES).map(|call| format!("  {}", plain(call))));
    }
    let refused = result.refused.iter();
    lines.extend(refused.map(|what| {
        format!("the plugin wanted the host to keep more than its budget: {}", plain(what))
    }));
    log(&mut lines, result);
    lines.extend(result.traffic.notes.iter().map(|note| format!("traffic: {}", plain(note))));
    lines
}

fn crashes(lines: &mut Vec<String>, result: &ResultFile) {
    let crashes = result.vm.crashes;
    let Some(first) = result.vm.crash_reasons.first() else { return };
    let place = first
        .request
        .map_or_else(|| "outside of requests".to_owned(), |number| format!("in request {number}"));
    let (callback, reason) = (plain(&first.callback), plain(&first.reason));
    let which = if crashes > 1 {
        format!("crashed {} times, first", count(crashes))
    } else {
        "crashed".to_owned()
    };
    lines.push(format!("the plugin {which} {place}, in {callback}: {reason}"));
    let above = above_the_plugin(&first.stack);
    let frames = first.stack.iter().enumerate().skip(above).take(FRAMES);
    lines.extend(frames.map(|(depth, frame)| format!("  {depth:>2}: {}", plain(frame))));
    if let Some(more @ 1..) = first.stack.len().checked_sub(above + FRAMES) {
        lines.push(format!("  and {}", counted(more as u64, "more frame", "more frames")));
    }
}

/// How many frames Rust's handling of a panic has above that which panicked: often more than are
/// shown, so that nothing of the plugin would be.
fn above_the_plugin(stack: &[String]) -> usize {
    stack.iter().position(|frame| frame.contains("rust_begin_unwind")).map_or(0, |depth| depth + 1)
}

fn log(lines: &mut Vec<String>, result: &ResultFile) {
    let log = &result.plugin_log;
    let matters = [Level::Critical, Level::Error, Level::Warn].map(|level| level.to_string());
    let grave = |line: &&String| {
        line.split_once(':').is_some_and(|(level, _)| matters.iter().any(|known| known == level))
    };
    let shown: Vec<_> = log.lines.iter().filter(grave).take(LINES).collect();
    let levels = matters.iter().filter_map(|level| log.levels.get_key_value(level));
    let all: u64 = levels.clone().map(|(_, count)| count).sum();
    if all == 0 {
        return;
    }
    let levels: Vec<_> = levels.map(|(level, n)| format!("{} at {level}", count(*n))).collect();
    lines.push(format!("the plugin logged {}:", levels.join(", ")));
    // The host keeps no more than the first thousand, whatever their level.
    let kept: u64 = log.levels.values().sum();
    let lost = (log.dropped + log.lines.len() as u64).saturating_sub(kept);
    let more = all.saturating_sub(shown.len() as u64) + lost;
    lines.extend(shown.into_iter().map(|line| format!("  {}", plain(line))));
    if more > 0 {
        lines.push(format!("  and {}", counted(more, "more line", "more lines")));
    }
}

/// A text by others, on one line: control characters are escaped, so that a terminal does not obey
/// them, and what is too long is cut.
pub(crate) fn plain(text: &str) -> String {
    cut(text, WIDTH)
}

fn cut(text: &str, width: usize) -> String {
    let mut plain = String::with_capacity(text.len().min(width));
    let mut characters = text.chars();
    for character in characters.by_ref().take(width) {
        if character.is_control() {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
    }
    if characters.next().is_some() {
        plain.push('…');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn nothing_to_warn_of() {
        assert_eq!(warnings(&fixture::busy()), [""; 0]);
    }

    #[test]
    fn the_stack_of_a_panic_begins_where_it_was_raised() {
        let frame = |name: &str| name.to_owned();
        let mut stack: Vec<_> = (0..9).map(|depth| format!("std::panicking::f{depth}")).collect();
        stack.push(frame("__rustc::rust_begin_unwind"));
        assert_eq!(above_the_plugin(&stack[..9]), 0);
        stack.push(frame("core::panicking::panic_fmt"));
        assert_eq!(above_the_plugin(&stack), 10);
    }

    #[test]
    fn texts_by_others_are_tamed() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{9b}"), "a\\u{1b}[2Jb\\nc\\u{9b}");
        let long = plain(&"é".repeat(WIDTH + 1));
        assert_eq!(long.chars().count(), WIDTH + 1);
        assert!(long.ends_with('…'));
        assert_eq!(plain(&"é".repeat(WIDTH)).chars().count(), WIDTH);
    }
}
