//! Plugins that others could have written: other languages, other versions of the crate, none of
//! them ours but in its source. They run unchanged, where their compilers are there.
//!
//! `.ci/toolchains` installs these; `tests/foreign/README.md` says what the plugins do.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

mod bare;
mod behaviour;
mod build;
mod costs;
mod heap;
mod languages;
mod replayed;
mod start;

macro_rules! language {
    ($name:ident, $language:ident) => {
        mod $name {
            use crate::languages::$language;
            use crate::{behaviour, replayed, start};

            #[test]
            fn it_loads_and_finds_its_configuration() {
                behaviour::loads(&$language);
            }

            #[test]
            fn headers_properties_clocks_and_counters_work() {
                behaviour::headers(&$language);
            }

            #[test]
            fn bodies_are_changed_however_they_are_cut() {
                behaviour::bodies(&$language);
            }

            #[test]
            fn streams_are_kept_apart() {
                behaviour::streams(&$language);
            }

            #[test]
            fn a_request_is_denied() {
                behaviour::denial(&$language);
            }

            #[test]
            fn a_crash_ends_the_callback_and_is_explained() {
                behaviour::crash(&$language);
            }

            #[test]
            fn it_starts_with_what_a_proxy_allows_at_the_start() {
                start::allowed(&$language);
            }

            #[test]
            fn a_replay_changes_what_is_to_be_changed() {
                replayed::echo(&$language);
            }
        }
    };
}

language!(assemblyscript, ASSEMBLYSCRIPT);
language!(cpp, CPP);
language!(go, GO);
language!(rust_01, RUST_01);
language!(rust_02, RUST_02);
language!(zig, ZIG);
