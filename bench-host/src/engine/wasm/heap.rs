//! What a rewritten module tells of its heap, with its call stacks.

use std::sync::Arc;

use wasmtime::{AsContext as _, Caller, Func, Store, WasmBacktrace};

use super::caller::State;
use crate::heap::{ALLOCATED, FREED, Frame, GREW, Map, REALLOCATED, Recording, VmRecorder};

/// Frames of a call stack that are kept, the innermost ones.
const FRAMES: usize = 200;

/// What a plugin needs to be recorded.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub map: Arc<Map>,
    pub recording: Recording,
}

/// A VM that is recorded.
pub(super) struct Watched {
    pub map: Arc<Map>,
    pub vm: VmRecorder,
}

/// One of the imports that a rewritten module has besides its own.
pub(super) fn function(store: &mut Store<State>, name: &str) -> Option<Func> {
    Some(match name {
        ALLOCATED => Func::wrap(
            store,
            |mut caller: Caller<'_, State>, at: u32, size: u32, depth: u32, hook: u32| {
                handed_out(&mut caller, (0, at, size), depth, hook);
            },
        ),
        REALLOCATED => Func::wrap(
            store,
            |mut caller: Caller<'_, State>,
             old: u32,
             new: u32,
             size: u32,
             depth: u32,
             hook: u32| {
                handed_out(&mut caller, (old, new, size), depth, hook);
            },
        ),
        FREED => {
            Func::wrap(store, |mut caller: Caller<'_, State>, at: u32, depth: u32, hook: u32| {
                let left = fuel(&caller);
                let Some(watched) = &mut caller.data_mut().watched else { return };
                let (cost, bias) = watched.hook(hook);
                if let Some((vm, mut recorder)) = watched.vm.recorder(left, cost) {
                    recorder.freed(vm, start(at, bias), depth > 0);
                }
            })
        }
        GREW => Func::wrap(store, |mut caller: Caller<'_, State>, before: u32, pages: u32| {
            let left = fuel(&caller);
            let trace = WasmBacktrace::force_capture(&caller);
            let Some(watched) = &mut caller.data_mut().watched else { return };
            let cost = watched.map.grow_cost;
            if let Some((_, mut recorder)) = watched.vm.recorder(left, cost) {
                let stack = stack(&watched.map, &trace, &mut recorder);
                recorder.grew((before != u32::MAX).then_some(pages), &stack);
            }
        }),
        _ => return None,
    })
}

/// An allocator returned a block, in place of an old one or of none.
fn handed_out(
    caller: &mut Caller<'_, State>,
    (old, new, size): (u32, u32, u32),
    depth: u32,
    hook: u32,
) {
    let left = fuel(caller);
    // Inside of another function of the allocator it is not what a caller gets.
    let trace = (depth == 0).then(|| WasmBacktrace::force_capture(&*caller));
    let Some(watched) = &mut caller.data_mut().watched else { return };
    let (cost, bias) = watched.hook(hook);
    if let Some((vm, mut recorder)) = watched.vm.recorder(left, cost)
        && let Some(trace) = trace
    {
        let stack = stack(&watched.map, &trace, &mut recorder);
        recorder.reallocated(vm, start(old, bias), start(new, bias), size, &stack);
    }
}

/// Fuel that the callback may still take.
fn fuel(caller: &Caller<'_, State>) -> u64 {
    caller.as_context().get_fuel().unwrap_or(0)
}

/// Where a block begins that an allocator speaks of; none stays none.
fn start(at: u32, bias: u32) -> u32 {
    if at == 0 { 0 } else { at.wrapping_sub(bias) }
}

fn stack(map: &Map, trace: &WasmBacktrace, recorder: &mut crate::heap::Recorder) -> Vec<u32> {
    let frames = trace.frames();
    let mut stack = Vec::with_capacity(frames.len().min(FRAMES) + 1);
    for frame in frames {
        // Wrappers are ours.
        let Some(function) = map.function(frame.func_index()) else { continue };
        if stack.len() == FRAMES {
            stack.push(recorder.cut());
            break;
        }
        let offset = frame.func_offset().and_then(|offset| u32::try_from(offset).ok());
        let place = offset.and_then(|offset| map.place(function, offset));
        stack.push(recorder.frame(Frame { function, place }, map.name(function)));
    }
    stack
}

impl Watched {
    /// What a wrapper costs, and its function's bias.
    fn hook(&self, number: u32) -> (u64, u32) {
        self.map.hooks.get(number as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, WasmPlugin};
    use crate::engine::{Callback, Plugin as _};
    use crate::heap::{Point, Profile, Recording, instrument};
    use crate::host::{Host, Profile as Proxy, Settings, World};

    /// Runs some ticks in a guest, plainly and recorded: what the recording says, and the fuel that
    /// each of them took.
    fn ticked(text: &str, ticks: u32) -> (Profile, [u64; 2]) {
        let bytes = wat::parse_str(text).unwrap();
        let run = |plugin: &WasmPlugin| {
            let host = Host::new(Settings::new(Proxy::Envoy), &World::default());
            let mut guest = plugin.guest(host).unwrap();
            for context in 0..ticks {
                guest.call(Callback::Tick { context }).unwrap();
            }
            guest.gauge().fuel.unwrap()
        };
        let plain = run(&WasmPlugin::compile(&bytes, Limits::COUNTED).unwrap());
        let recording = Recording::leaving_out(0);
        let module = instrument(&bytes).unwrap();
        let watched = run(&WasmPlugin::recording(module, Limits::COUNTED, &recording).unwrap());
        (recording.finish(), [plain, watched])
    }

    /// An allocator that never uses memory twice, with every function that C has, and a table.
    const C: &str = r#"(module
        (memory (export "memory") 2)
        (global $heap (mut i32) (i32.const 65536))
        (type $release (func (param i32)))
        (table funcref (elem $free))
        (func (export "proxy_abi_version_0_2_1"))
        (func $malloc (export "malloc") (param $size i32) (result i32)
            (if (i32.eqz (local.get $size)) (then (return (i32.const 0))))
            (global.get $heap)
            (global.set $heap (i32.add (global.get $heap) (local.get $size))))
        (func $free (param i32) nop)
        (func $calloc (param i32 i32) (result i32)
            (call $malloc (i32.mul (local.get 0) (local.get 1))))
        (func $realloc (param i32 i32) (result i32)
            (call $free (local.get 0))
            (call $malloc (local.get 1)))
        (func $kept (drop (call $malloc (i32.const 100))))
        (func $brief (call $free (call $malloc (i32.const 40))))
        (func $moved
            (call_indirect (type $release)
                (call $realloc (call $calloc (i32.const 3) (i32.const 5)) (i32.const 50))
                (i32.const 0)))
        (func (export "proxy_on_tick") (param $context i32)
            (call $kept)
            (call $brief)
            (call $moved)
            (drop (call $malloc (i32.const 0)))
            (call $free (i32.const 0))
            (drop (memory.grow (i32.const 1)))))"#;

    /// A stack as text, without places.
    fn stack(profile: &Profile, point: &Point) -> String {
        let names = point.stack.iter().map(|frame| {
            let text = &profile.frames[*frame as usize];
            text.split_once(": ").map_or(text.as_str(), |(_, name)| name)
        });
        names.collect::<Vec<_>>().join(" < ")
    }

    #[test]
    fn every_block_is_seen_once() {
        let (profile, _) = ticked(C, 3);
        let points: Vec<_> = profile
            .points
            .iter()
            .map(|point| {
                let stack = stack(&profile, point);
                (stack, point.total_bytes, point.total_blocks, point.live_bytes, point.max_bytes)
            })
            .collect();
        assert_eq!(
            points,
            [
                ("kept < proxy_on_tick".to_owned(), 300, 3, 300, 300),
                ("brief < proxy_on_tick".to_owned(), 120, 3, 0, 40),
                ("moved < proxy_on_tick".to_owned(), 45, 3, 0, 15),
                ("moved < proxy_on_tick".to_owned(), 150, 3, 0, 50),
            ]
        );
        assert_eq!(profile.total, (615, 12));
        assert_eq!(profile.peak, (350, 4));
        assert_eq!(profile.left, (300, 3));
        assert_eq!((profile.failed, profile.unknown_frees, profile.unseen_frees), (3, 0, 0));
        let growth = &profile.growth;
        assert_eq!((growth.initial_pages, growth.grown_pages, growth.grows), (2, 3, 3));
        assert_eq!(stack(&profile, &growth.points[1]), "proxy_on_tick");
    }

    #[test]
    fn the_clock_is_that_of_a_plugin_that_nobody_watches() {
        let (profile, [plain, watched]) = ticked(C, 5);
        assert_eq!(profile.end, plain);
        assert!(watched > plain);
    }

    #[test]
    fn places_are_those_of_the_original_file() {
        let bytes = wat::parse_str(C).unwrap();
        let (profile, _) = ticked(C, 1);
        let functions = profile.frames.iter().filter(|text| !text.starts_with('['));
        assert_eq!(functions.clone().count(), 9);
        for text in functions {
            let (place, _) = text.split_once(": ").unwrap();
            let place = usize::from_str_radix(&place[2..], 16).unwrap();
            // `call`, `call_indirect` or `memory.grow`.
            assert!([0x10, 0x11, 0x40].contains(&bytes[place]), "{text}");
        }
    }

    #[test]
    fn without_an_allocator_growth_is_seen_all_the_same() {
        let text = r#"(module (memory (export "memory") 1 3)
            (func (export "proxy_abi_version_0_2_1"))
            (func $mine (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 8))
            (func (export "proxy_on_tick") (param i32) (drop (memory.grow (i32.const 2)))))"#;
        let (profile, [plain, _]) = ticked(text, 2);
        assert_eq!((profile.points.len(), profile.end), (0, plain));
        let growth = profile.growth;
        assert_eq!((growth.grown_pages, growth.grows, growth.refused), (2, 1, 1));
    }

    #[test]
    fn what_allocators_of_other_languages_mean_is_understood() {
        // Zig says whether a block was resized; AssemblyScript speaks of two addresses.
        let text = r#"(module
            (memory (export "memory") 2)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 8))
            (func $heap.BrkAllocator.alloc (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func $heap.BrkAllocator.resize (param i32 i32 i32 i32 i32 i32) (result i32)
                (i32.lt_u (local.get 4) (i32.const 64)))
            (func $heap.BrkAllocator.free (param i32 i32 i32 i32 i32))
            (func $~lib/rt/tlsf/allocateBlock (param i32 i32) (result i32) (i32.const 2048))
            (func $~lib/rt/tlsf/__free (param i32))
            (func $zig (param $size i32)
                (drop (call $heap.BrkAllocator.alloc
                    (i32.const 0) (i32.const 32) (i32.const 0) (i32.const 0)))
                (drop (call $heap.BrkAllocator.resize (i32.const 0) (i32.const 1024) (i32.const 32)
                    (i32.const 0) (local.get $size) (i32.const 0)))
                (call $heap.BrkAllocator.free (i32.const 0) (i32.const 1024) (i32.const 32)
                    (i32.const 0) (i32.const 0)))
            (func (export "proxy_on_tick") (param i32)
                (call $zig (i32.const 48))
                (call $zig (i32.const 100))
                (drop (call $~lib/rt/tlsf/allocateBlock (i32.const 0) (i32.const 7)))
                (call $~lib/rt/tlsf/__free (i32.const 2052))))"#;
        let (profile, [plain, _]) = ticked(text, 1);
        assert_eq!((profile.total, profile.left), ((32 + 48 + 32 + 7, 4), (0, 0)));
        assert_eq!((profile.failed, profile.unknown_frees, profile.peak.0), (1, 0, 48));
        assert_eq!(profile.end, plain);
    }
}
