//! Any edits of any chunks, against the same edits of a vector.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use bench_host::testing::{Answer, Call, TestHost};
use chunkwise::http::BodyAction;
use chunkwise::{Chunk, Config, ConfigError, Filter, Plugin, Result};
use proptest::prelude::*;

/// One thing that is done with a chunk. Positions are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Bytes,
    Range(usize, usize),
    BytesMut(u8),
    PrefixMut(usize, u8),
    Replace(Vec<u8>),
    ReplacePrefix(usize, Vec<u8>),
    Prepend(Vec<u8>),
    Append(Vec<u8>),
    Clear,
}

/// What is done in one callback.
#[derive(Clone, Debug)]
struct Turn {
    steps: Vec<Step>,
    hold: bool,
}

#[derive(Clone, Copy, Debug)]
enum End {
    LastChunk,
    EmptyFrame,
    Trailers,
}

/// What the model knows of the body.
#[derive(Debug, Default)]
struct Model {
    turns: VecDeque<Turn>,
    frames: VecDeque<Vec<u8>>,
    held: Vec<u8>,
    out: Vec<u8>,
}

thread_local! {
    static MODEL: RefCell<Model> = RefCell::default();
    static IN_REQUEST: Cell<bool> = const { Cell::new(true) };
}

struct Modelled;
struct ModelledFilter;

impl Plugin for Modelled {
    type Filter = ModelledFilter;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn filter(&self) -> ModelledFilter {
        ModelledFilter
    }
}

impl Filter<Modelled> for ModelledFilter {
    fn request_body(&mut self, _: &Modelled, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        turn(chunk, true)
    }

    fn response_body(&mut self, _: &Modelled, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        turn(chunk, false)
    }
}

/// Does with the chunk and with the model what comes next.
fn turn(chunk: &mut Chunk<'_>, in_request: bool) -> Result<BodyAction> {
    if in_request != IN_REQUEST.get() {
        return Ok(BodyAction::Pass);
    }
    MODEL.with_borrow_mut(|model| {
        let held = model.held.len();
        let mut bytes = std::mem::take(&mut model.held);
        bytes.extend(model.frames.pop_front().unwrap_or_default());
        assert_eq!((chunk.len(), chunk.held()), (bytes.len(), held));
        let turn = model.turns.pop_front();
        let hold = turn.as_ref().is_some_and(|turn| turn.hold) && !chunk.is_last();
        if !chunk.is_released() {
            for step in turn.iter().flat_map(|turn| &turn.steps) {
                take(step, chunk, &mut bytes)?;
                assert_eq!((chunk.len(), chunk.is_empty()), (bytes.len(), bytes.is_empty()));
            }
        }
        if hold {
            model.held = bytes;
            return Ok(BodyAction::Hold);
        }
        model.out.extend(bytes);
        Ok(BodyAction::Pass)
    })
}

fn take(step: &Step, chunk: &mut Chunk<'_>, model: &mut Vec<u8>) -> Result<()> {
    let within = |at: usize| at % (model.len() + 1);
    match step {
        Step::Bytes => assert_eq!(chunk.bytes()?, model),
        Step::Range(one, other) => {
            let (start, end) = (within(*one).min(within(*other)), within(*one).max(within(*other)));
            assert_eq!(chunk.range(start..end)?, &model[start..end]);
        }
        Step::BytesMut(mask) => change(chunk.bytes_mut()?, model, *mask),
        Step::PrefixMut(length, mask) => {
            let length = within(*length);
            change(chunk.prefix_mut(length)?, &mut model[..length], *mask);
        }
        Step::Replace(data) => {
            chunk.replace(data)?;
            *model = data.clone();
        }
        Step::ReplacePrefix(length, data) => {
            // More than there is means all of it.
            chunk.replace_prefix(*length, data)?;
            model.splice(..(*length).min(model.len()), data.iter().copied());
        }
        Step::Prepend(data) => {
            chunk.prepend(data)?;
            model.splice(..0, data.iter().copied());
        }
        Step::Append(data) => {
            chunk.append(data)?;
            model.extend(data);
        }
        Step::Clear => {
            chunk.clear()?;
            model.clear();
        }
    }
    Ok(())
}

fn change(bytes: &mut [u8], model: &mut [u8], mask: u8) {
    assert_eq!(bytes, model);
    for byte in bytes.iter_mut().chain(model) {
        *byte ^= mask;
    }
}

fn step() -> impl Strategy<Value = Step> {
    let data = || prop::collection::vec(any::<u8>(), 0..8);
    prop_oneof![
        3 => Just(Step::Bytes),
        3 => (0usize..32, 0usize..32).prop_map(|(one, other)| Step::Range(one, other)),
        2 => any::<u8>().prop_map(Step::BytesMut),
        2 => (0usize..32, any::<u8>()).prop_map(|(length, mask)| Step::PrefixMut(length, mask)),
        1 => data().prop_map(Step::Replace),
        2 => (0usize..12, data()).prop_map(|(length, data)| Step::ReplacePrefix(length, data)),
        2 => data().prop_map(Step::Prepend),
        2 => data().prop_map(Step::Append),
        1 => Just(Step::Clear),
    ]
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (prop::collection::vec(step(), 0..7), any::<bool>());
    prop::collection::vec(turn.prop_map(|(steps, hold)| Turn { steps, hold }), 0..8)
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::LastChunk), Just(End::EmptyFrame), Just(End::Trailers)]
}

proptest! {
    #[test]
    fn chunks_are_edited_as_a_vector_is(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..6),
        turns in turns(),
        end in end(),
        in_request in any::<bool>(),
    ) {
        IN_REQUEST.set(in_request);
        MODEL.set(Model {
            turns: turns.into(),
            frames: frames.clone().into(),
            ..Model::default()
        });
        let (mut call, mut answer) = (Call::post("/"), Answer::new(200));
        if in_request {
            call = call.chunks(&frames);
        } else {
            answer = answer.chunks(&frames);
        }
        match end {
            End::LastChunk => {}
            End::EmptyFrame => call = call.http1(),
            End::Trailers if in_request => call = call.trailer("x-sum", "1"),
            End::Trailers => answer = answer.trailer("x-sum", "1"),
        }
        let mut host = TestHost::native::<Modelled>("").unwrap();
        let outcome = host.send(call.answer(answer)).unwrap();
        let seen = if in_request { outcome.upstream } else { outcome.downstream };
        prop_assert!(seen.ended, "{:?}", host.log());
        prop_assert!(host.log().is_empty(), "{:?}", host.log());
        let model = MODEL.take();
        prop_assert!(model.frames.is_empty() && model.held.is_empty());
        prop_assert_eq!(seen.body, model.out);
    }
}
