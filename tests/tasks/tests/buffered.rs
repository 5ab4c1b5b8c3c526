//! Bodies that are given whole, or held, against a plain function of the whole body.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bench_host::measure::Phase;
use bench_host::testing::Outcome;
use chunkwise::http::{BodyAction, BodyMode, Resume};
use chunkwise::{Chunk, Error, Result};
use chunkwise_task_tests::message::{Message, on};
use chunkwise_task_tests::{AUTH, Case, auth, log, misuse};
use proptest::prelude::*;

/// What is done with a whole body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Pass,
    Hold,
    Drop,
    Upper,
    Reverse,
    Replace,
    Clear,
    Append,
    Prepend,
    Prefix,
    WaitPass,
    WaitReplace,
    WaitAtOnce,
}

const WORKS: [Work; 13] = [
    Work::Pass,
    Work::Hold,
    Work::Drop,
    Work::Upper,
    Work::Reverse,
    Work::Replace,
    Work::Clear,
    Work::Append,
    Work::Prepend,
    Work::Prefix,
    Work::WaitPass,
    Work::WaitReplace,
    Work::WaitAtOnce,
];

impl Work {
    fn waits(self) -> bool {
        matches!(self, Self::WaitPass | Self::WaitReplace | Self::WaitAtOnce)
    }

    fn edits(self) -> bool {
        !matches!(self, Self::Pass | Self::Hold | Self::WaitPass)
    }

    /// What becomes of a body.
    fn oracle(self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Pass | Self::Hold | Self::WaitPass => body.to_vec(),
            Self::Drop | Self::Clear => Vec::new(),
            Self::Upper => body.to_ascii_uppercase(),
            Self::Reverse => body.iter().rev().copied().collect(),
            Self::Replace => b"new".to_vec(),
            Self::Append => [body, b">"].concat(),
            Self::Prepend => [b"<", body].concat(),
            Self::Prefix => [b"**", &body[body.len().min(3)..]].concat(),
            Self::WaitReplace => [b"(", body, b")"].concat(),
            Self::WaitAtOnce => [body, body].concat(),
        }
    }

    fn run(self, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        Ok(match self {
            Self::Pass => BodyAction::Pass,
            Self::Hold => BodyAction::Hold,
            Self::Drop => BodyAction::Drop,
            Self::Upper => {
                chunk.bytes_mut()?.make_ascii_uppercase();
                BodyAction::Pass
            }
            Self::Reverse => {
                let reversed: Vec<u8> = chunk.bytes()?.iter().rev().copied().collect();
                BodyAction::Edit(reversed.into())
            }
            Self::Replace => BodyAction::Edit(bytes::Bytes::from_static(b"new")),
            Self::Clear => {
                chunk.clear()?;
                BodyAction::Pass
            }
            Self::Append => {
                chunk.append(b">")?;
                BodyAction::Pass
            }
            Self::Prepend => {
                chunk.prepend(b"<")?;
                BodyAction::Pass
            }
            Self::Prefix => {
                chunk.replace_prefix(3, b"**")?;
                BodyAction::Pass
            }
            Self::WaitPass => {
                return chunk.wait(async |body| {
                    auth().get("/").send().await?;
                    body.bytes()?;
                    Ok(Resume::Continue)
                });
            }
            Self::WaitReplace => {
                let seen = chunk.to_bytes()?;
                return chunk.wait(async move |body| {
                    auth().get("/").send().await?;
                    let bytes = body.bytes()?;
                    assert_eq!(bytes, seen);
                    auth().get("/").send().await?;
                    body.replace([b"(", &bytes[..], b")"].concat())?;
                    Ok(Resume::Continue)
                });
            }
            Self::WaitAtOnce => {
                return chunk.wait(async |body| {
                    let bytes = body.bytes()?;
                    body.replace([&bytes[..], &bytes[..]].concat())?;
                    Ok(Resume::Continue)
                });
            }
        })
    }
}

fn messages() -> impl Strategy<Value = Message> {
    let chunks = prop::collection::vec("[a-z]{0,9}", 1..7);
    (chunks, any::<[bool; 4]>()).prop_map(
        |(chunks, [response, http1, trailers, content_length])| Message {
            response,
            chunks,
            http1,
            trailers,
            content_length,
        },
    )
}

fn cases() -> impl Strategy<Value = Case> {
    any::<(bool, bool)>().prop_map(|(higress, refuse)| Case { higress, refuse })
}

/// The message did not get through, and its receiver was not fooled.
fn assert_refused(message: &Message, held: bool, outcome: &Outcome) {
    if !message.response || held {
        assert_eq!(outcome.downstream.header(":status").as_deref(), Some("500"));
        assert!(outcome.downstream.ended && !outcome.reset);
        assert!(message.response || !outcome.upstream.ended);
    } else {
        assert!(outcome.reset && !outcome.downstream.ended);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// One call for the whole body; what becomes of it is what a plain function says.
    #[test]
    fn whole_bodies_follow_a_plain_function(
        message in messages(),
        case in cases(),
        hold: bool,
        by_hand: bool,
        work in prop::sample::select(&WORKS[..]),
    ) {
        let calls = Rc::new(RefCell::new(Vec::new()));
        let (noted, whole) = (Rc::clone(&calls), message.whole());
        let error = Rc::new(Cell::new(None));
        let failed = Rc::clone(&error);
        // Either the SDK holds the chunks, or the filter does so itself.
        let mode = if by_hand { BodyMode::Stream } else { BodyMode::Buffer };
        let script = on(message.response, mode, hold, move |chunk| {
            if by_hand && !chunk.is_last() {
                return Ok(BodyAction::Hold);
            }
            assert!(chunk.is_last());
            noted.borrow_mut().push(String::from_utf8_lossy(chunk.bytes()?).into_owned());
            assert_eq!(chunk.headers().is_ok(), hold, "{:?}", chunk.headers().err());
            if let Ok(headers) = chunk.headers() {
                headers.set("x-seen", chunk.len().to_string())?;
            }
            let result = work.run(chunk);
            failed.set(result.as_ref().err().copied());
            result
        });
        let mut host = case.with(AUTH, script);
        let outcome = message.send(&mut host);
        prop_assert_eq!(&outcome.stalled, &None);
        prop_assert_eq!(&*calls.borrow(), std::slice::from_ref(&whole));
        prop_assert_eq!(misuse(&mut host), [""; 0]);

        let new = work.oracle(whole.as_bytes());
        let nothing_held = message.trailers && whole.is_empty();
        let cannot_change = nothing_held
            && (work.waits() || work.edits() && work != Work::Drop);
        // By hand the SDK cannot know that nothing was sent before, but a task can; and only Higress
        // tells the length of what was sent, that of a request.
        let knows_length = !by_hand || work.waits() && !message.response && case.higress;
        let other_length = message.content_length && !hold && new.len() != whole.len();
        if other_length && !knows_length {
            return Ok(());
        }
        let seen = message.seen(&outcome);
        if cannot_change || other_length {
            let log = log(&mut host);
            prop_assert_eq!(log.len(), 1, "{:?}", log);
            let reason = if other_length && !cannot_change { Error::LengthSent.to_string() }
                else if work.waits() { Error::BodyIncomplete.to_string() }
                else { Error::BodyReleased.to_string() };
            prop_assert!(log[0].contains(&reason), "{:?}", log);
            if case.refuse {
                assert_refused(&message, hold, &outcome);
                return Ok(());
            }
            prop_assert_eq!(seen.text(), whole, "an error changes nothing");
        } else {
            prop_assert_eq!(log(&mut host), [""; 0]);
            prop_assert_eq!(seen.text(), String::from_utf8_lossy(&new));
        }
        prop_assert!(seen.ended);
        if message.content_length {
            prop_assert_eq!(seen.header("content-length").unwrap(), seen.body.len().to_string());
        }
        prop_assert_eq!(seen.header("x-seen").is_some(), hold);
        prop_assert_eq!(seen.trailers.is_empty(), !message.trailers);
        prop_assert!(outcome.downstream.ended && !outcome.reset);
    }

    /// Verdicts on chunks as they come.
    #[test]
    fn verdicts_on_chunks_follow_a_plain_function(
        message in messages(),
        case in cases(),
        hold: bool,
        verdicts in prop::collection::vec(0_u8..6, 12),
    ) {
        // Headers that were sent on are the filter's business, chunk by chunk.
        let message = Message { content_length: message.content_length && hold, ..message };
        let expected = Rc::new(RefCell::new((Vec::new(), Vec::new(), 0)));
        let oracle = Rc::clone(&expected);
        let lasts = Rc::new(Cell::new(0));
        let ended = Rc::clone(&lasts);
        // Whether the headers left before the end with the length that they had.
        let said = Rc::new(Cell::new(None));
        let (said_so, arrived) = (Rc::clone(&said), Cell::new(0));
        let script = on(message.response, BodyMode::Stream, hold, move |chunk| {
            let mut state = oracle.borrow_mut();
            let (out, held, at) = &mut *state;
            let verdict = verdicts[*at];
            *at += 1;
            ended.set(ended.get() + u32::from(chunk.is_last()));
            assert_eq!(chunk.held(), held.len());
            let bytes = chunk.bytes()?.to_vec();
            assert!(bytes.starts_with(held), "what was held comes first");
            arrived.set(arrived.get() + bytes.len() - held.len());
            held.clear();
            let is_edit = matches!(verdict, 2 | 3) && !chunk.is_released();
            let action = match verdict {
                0 if !chunk.is_last() => {
                    held.extend_from_slice(&bytes);
                    BodyAction::Hold
                }
                1 => BodyAction::Drop,
                5 if !chunk.is_released() => {
                    // Longer, and held with what comes.
                    chunk.append(b"+")?;
                    let all = [&bytes[..], b"+"].concat();
                    if chunk.is_last() {
                        out.extend_from_slice(&all);
                    } else {
                        held.extend_from_slice(&all);
                    }
                    BodyAction::Hold
                }
                2 if is_edit => {
                    let new = format!("[{}]", bytes.len());
                    out.extend_from_slice(new.as_bytes());
                    BodyAction::Edit(new.into())
                }
                3 if is_edit => {
                    chunk.bytes_mut()?.make_ascii_uppercase();
                    let edited = bytes.to_ascii_uppercase();
                    if chunk.is_last() || at.is_multiple_of(2) {
                        out.extend_from_slice(&edited);
                        BodyAction::Pass
                    } else {
                        held.extend_from_slice(&edited);
                        BodyAction::Hold
                    }
                }
                0 => {
                    out.extend_from_slice(&bytes);
                    BodyAction::Hold
                }
                _ => {
                    out.extend_from_slice(&bytes);
                    BodyAction::Pass
                }
            };
            let leaves = chunk.is_last() || !matches!(action, BodyAction::Hold);
            if leaves && said_so.get().is_none() {
                said_so.set(Some(!chunk.is_last() && out.len() == arrived.get()));
            }
            Ok(action)
        });
        let mut host = case.with(AUTH, script);
        let outcome = message.send(&mut host);
        prop_assert_eq!(log(&mut host), [""; 0]);
        prop_assert_eq!(&outcome.stalled, &None);
        let seen = message.seen(&outcome);
        let (out, _, _) = &*expected.borrow();
        prop_assert_eq!(seen.text(), String::from_utf8_lossy(out));
        prop_assert!(seen.ended && outcome.downstream.ended);
        prop_assert_eq!(seen.trailers.is_empty(), !message.trailers);
        prop_assert_eq!(lasts.get(), 1);
        if let Some(length) = seen.header("content-length").filter(|_| said.get() == Some(false)) {
            prop_assert_eq!(length, seen.body.len().to_string());
        }
    }

    /// Windows of any size are the body, with one host call for each.
    #[test]
    fn windows_are_the_body(message in messages(), case in cases(), size in 1_usize..20) {
        let whole = message.whole();
        let expected = whole.clone();
        let script = on(message.response, BodyMode::Buffer, false, move |chunk| {
            let mut all = Vec::new();
            let mut windows = chunk.windows(size)?;
            while let Some(window) = windows.next()? {
                assert!(window.len() == size || all.len() + window.len() == expected.len());
                assert!(!window.is_empty());
                all.extend_from_slice(window);
                assert_eq!(windows.position(), all.len());
            }
            assert!(windows.next()?.is_none());
            drop(windows);
            assert_eq!(all, expected.as_bytes());
            assert_eq!(chunk.to_bytes()?, expected);
            Ok(BodyAction::Pass)
        });
        let mut host = case.with(AUTH, script);
        let outcome = message.send(&mut host);
        prop_assert_eq!(message.seen(&outcome).text(), &*whole);
        let phases = if message.response {
            [Phase::ResponseBody, Phase::ResponseTrailers]
        } else {
            [Phase::RequestBody, Phase::RequestTrailers]
        };
        let calls = phases.map(|phase| {
            host.ledger().host_calls(phase).get("proxy_get_buffer_bytes").copied().unwrap_or(0)
        });
        let windows = whole.len().div_ceil(size) as u64;
        // And one that makes it bytes of its own.
        let owned = u64::from(!whole.is_empty());
        prop_assert!((windows + owned..=windows + 1).contains(&(calls[0] + calls[1])), "{calls:?}");
    }
}
