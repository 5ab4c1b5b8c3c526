//! Suites of ours, in TOML: whole exchanges through the filter manager, and what both sides of the
//! proxy and the log should have got.

mod check;
mod expect;
mod model;
mod run;
mod values;

pub(super) use model::File;
pub(super) use run::{Repeated, run, setup};

use super::place::{Place, Problem};

/// Reads a suite.
///
/// # Errors
/// The first place at which something is wrong; the reader of TOML stops there.
pub(super) fn read(text: &str) -> Result<File, Vec<Problem>> {
    let mut file: File = ::toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        vec![Problem::new(Place::of(text, at), error.message())]
    })?;
    file.locate(text);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let problems = read(text).map(drop).unwrap_err();
        format!("{}: {}", problems[0].at, problems[0].what)
    }

    #[test]
    fn cases_share_what_they_know_of_their_file() {
        let file = read("[[case]]\nname = 'a'\n\n  [[case]]\nname = 'b'").unwrap();
        let places: Vec<_> = file.cases.iter().map(|case| case.at.to_string()).collect();
        assert_eq!(places, ["1:1", "4:3"]);
        assert!(file.cases[0].expect.places.shares(&file.cases[1].expect.places));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let said: Vec<String> = [
            "[[case]]\nname = 'a'\nnmae = 'b'",
            "[[case]]\nrequest = { path = '/' }",
            "[[case]]\nname = 'a'\nhttp = '3'",
            "[[case]]\nname = 'a'\n[case.expect]\nlog = [{ matches = '(' }]",
            "[[case]]\nname = 'a'\nexpect.upstream.headers.a = 1",
            "[[case]]\nname = 'a'\nrequest.headers = { ':path' = 'x' }",
            "[[case]]\nname = 'a'\nconfig = 5",
            "[[case]]\nname = 'a'\nresponse.status = 42",
            "[[case]]\nname = 'a'\nchunk = '4 parsecs'",
            "[defaults]\nname = 'a'",
            "name = 'a",
        ]
        .into_iter()
        .map(said)
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        3:1: unknown field `nmae`, expected one of `name`, `benchmark`, `config`, `config_file`, `host`, `http`, `chunk`, `buffer_limit`, `allow_stop_iteration`, `log_level`, `time_secs`, `properties`, `request`, `response`, `expect`, `upstreams`, `config_update`
        1:1: missing field `name`
        3:8: unknown variant `3`, expected one of `1`, `1.1`, `2`
        4:7: regex parse error:
            (
            ^
        error: unclosed group
        3:29: a header is a string, a list of strings, true (present), false (absent) or { matches = "…" }
        3:19: `:path` is not a header here; use the keys method, scheme, authority, path and status
        3:10: a configuration is a string, or a table for JSON
        3:19: 42 is no status code
        3:9: size `4 parsecs` has the unknown unit `parsecs`; use KiB, MiB, GiB, TiB (powers of 1024) or KB, MB, GB (powers of 1000)
        2:1: unknown field `name`, expected one of `config`, `config_file`, `host`, `http`, `chunk`, `buffer_limit`, `allow_stop_iteration`, `log_level`, `time_secs`, `properties`
        1:10: invalid literal string, expected `'`
        "#);
    }
}
