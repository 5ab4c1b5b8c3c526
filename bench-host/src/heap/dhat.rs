//! The files that DHAT's viewer reads.
//!
//! The format is version 2 of what valgrind's DHAT and the crate `dhat` write; valgrind's
//! `dh_view.js` says which fields there have to be.

use serde::Serialize;

use super::points::Point;
use super::profile::Profile;

/// A file, with the fields in the order of valgrind's own.
#[derive(Serialize)]
#[expect(non_snake_case, reason = "the names are the format's")]
struct File<'a> {
    dhatFileVersion: u32,
    mode: &'a str,
    verb: &'a str,
    bklt: bool,
    bkacc: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bksu: Option<&'a str>,
    tu: &'a str,
    Mtu: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tuth: Option<u64>,
    cmd: &'a str,
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    tg: Option<u64>,
    te: u64,
    pps: Vec<Pp<'a>>,
    ftbl: &'a [String],
}

/// A call stack.
#[derive(Serialize)]
struct Pp<'a> {
    tb: u64,
    tbk: u64,
    #[serde(flatten)]
    lives: Option<Lives>,
    fs: &'a [u32],
}

/// What there is where lifetimes are known.
#[derive(Serialize)]
struct Lives {
    tl: u64,
    mb: u64,
    mbk: u64,
    gb: u64,
    gbk: u64,
    eb: u64,
    ebk: u64,
}

/// Blocks that live shorter than this count as short-lived: what dhat and valgrind say of theirs.
const SHORT: u64 = 500;

/// The heap. `lives` says whether blocks are seen when they are freed; `mode` and `command` are
/// shown as they are.
#[must_use]
pub fn heap_json(profile: &Profile, lives: bool, mode: &str, command: &str) -> String {
    let file = File {
        tuth: lives.then_some(SHORT),
        tg: lives.then_some(profile.peak_at),
        bklt: lives,
        pps: profile.points.iter().map(|point| pp(point, lives)).collect(),
        ..File::of(profile, mode, "Allocated", command)
    };
    file.text()
}

/// Who made memory grow; a block is one step.
#[must_use]
pub fn growth_json(profile: &Profile, command: &str) -> String {
    let file = File {
        bksu: Some("steps"),
        pps: profile.growth.points.iter().map(|point| pp(point, false)).collect(),
        ..File::of(profile, "wasm-grow", "Grown", command)
    };
    file.text()
}

impl<'a> File<'a> {
    fn of(profile: &'a Profile, mode: &'a str, verb: &'a str, command: &'a str) -> Self {
        Self {
            dhatFileVersion: 2,
            mode,
            verb,
            bklt: false,
            bkacc: false,
            bksu: None,
            tu: "fuel",
            Mtu: "Mfuel",
            tuth: None,
            cmd: command,
            // A plugin is no process, and files of the same run are the same.
            pid: 0,
            tg: None,
            te: profile.end,
            pps: Vec::new(),
            ftbl: &profile.frames,
        }
    }

    fn text(&self) -> String {
        let mut text = serde_json::to_string(self)
            .expect("the keys are text, and there are neither maps nor floats");
        text.push('\n');
        text
    }
}

fn pp(point: &Point, lives: bool) -> Pp<'_> {
    let lives = lives.then_some(Lives {
        tl: point.lifetimes,
        mb: point.max_bytes,
        mbk: point.max_blocks,
        gb: point.peak_bytes,
        gbk: point.peak_blocks,
        eb: point.live_bytes,
        ebk: point.live_blocks,
    });
    Pp { tb: point.total_bytes, tbk: point.total_blocks, lives, fs: &point.stack }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_what_the_viewer_wants() {
        let point = Point {
            stack: [1].into(),
            total_bytes: 30,
            total_blocks: 2,
            lifetimes: 9,
            live_bytes: 10,
            live_blocks: 1,
            max_bytes: 20,
            max_blocks: 1,
            peak_bytes: 20,
            peak_blocks: 1,
        };
        let mut profile = Profile {
            frames: vec!["[root]".to_owned(), "0x10: f".to_owned()],
            points: vec![point.clone()],
            end: 100,
            peak_at: 7,
            ..Profile::default()
        };
        profile.growth.points = vec![point];
        insta::assert_snapshot!(heap_json(&profile, true, "wasm-heap", "plugin.wasm"), @r#"{"dhatFileVersion":2,"mode":"wasm-heap","verb":"Allocated","bklt":true,"bkacc":false,"tu":"fuel","Mtu":"Mfuel","tuth":500,"cmd":"plugin.wasm","pid":0,"tg":7,"te":100,"pps":[{"tb":30,"tbk":2,"tl":9,"mb":20,"mbk":1,"gb":20,"gbk":1,"eb":10,"ebk":1,"fs":[1]}],"ftbl":["[root]","0x10: f"]}"#);
        insta::assert_snapshot!(heap_json(&profile, false, "wasm-heap", "plugin.wasm"), @r#"{"dhatFileVersion":2,"mode":"wasm-heap","verb":"Allocated","bklt":false,"bkacc":false,"tu":"fuel","Mtu":"Mfuel","cmd":"plugin.wasm","pid":0,"te":100,"pps":[{"tb":30,"tbk":2,"fs":[1]}],"ftbl":["[root]","0x10: f"]}"#);
        insta::assert_snapshot!(growth_json(&profile, "plugin.wasm"), @r#"{"dhatFileVersion":2,"mode":"wasm-grow","verb":"Grown","bklt":false,"bkacc":false,"bksu":"steps","tu":"fuel","Mtu":"Mfuel","cmd":"plugin.wasm","pid":0,"te":100,"pps":[{"tb":30,"tbk":2,"fs":[1]}],"ftbl":["[root]","0x10: f"]}"#);
    }
}
