//! Every function of WASI: its type and its answer.

use wasmtime::{Engine, Memory, MemoryType, Store, Val, ValType};

use super::super::caller::State;
use super::super::limits::Limits;
use super::super::restriction::{Allowed, Import};
use crate::host::{Host, Level, Profile, Settings, World};

fn store() -> Store<State> {
    let mut settings = Settings::new(Profile::Envoy);
    settings.log_level = Level::Trace;
    settings.environment = vec![("KEY1".into(), "VALUE1".into()), ("KEY2".into(), "VALUE2".into())];
    let state = State::new(Host::new(settings, &World::default()), Limits::UNCOUNTED);
    let mut store = Store::new(&Engine::default(), state);
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(1))).unwrap();
    // Whatever is not written stays visible.
    memory.data_mut(&mut store).fill(0xff);
    store.data_mut().memory = Some(memory);
    store
}

/// Calls a function and returns its answer; `None` where it has none.
fn call(store: &mut Store<State>, name: &str, params: &str, arguments: &[i64]) -> Option<i32> {
    let this = Import { place: 0, allowed: Allowed::of("wasi_snapshot_preview1", name) };
    let function = super::function(store, name, this).unwrap_or_else(|| panic!("{name}"));
    let ty = function.ty(&*store);
    let letters: String =
        ty.params().map(|ty| if ty.matches(&ValType::I64) { 'l' } else { 'i' }).collect();
    assert_eq!(letters, params, "{name}");
    let arguments: Vec<_> = params
        .chars()
        .zip(arguments)
        .map(|(letter, &number)| match letter {
            'l' => Val::I64(number),
            _ => Val::I32(i32::try_from(number).unwrap()),
        })
        .collect();
    let mut results = vec![Val::I32(-1); ty.results().len()];
    function.call(&mut *store, &arguments, &mut results).unwrap();
    results.first().map(|result| result.unwrap_i32())
}

/// Name, parameters, arguments, answer, and what is then in memory from 0 on.
type Row = (&'static str, &'static str, &'static [i64], i32, &'static [u8]);

const NOTHING: &[u8] = &[0xff; 4];
const OUTSIDE: i64 = 65_533;

#[rustfmt::skip]
const TABLE: [Row; 58] = [
    ("args_get", "ii", &[0, 0], 0, NOTHING),
    ("args_sizes_get", "ii", &[0, 4], 0, &[0, 0, 0, 0, 0, 0, 0, 0, 0xff]),
    ("args_sizes_get", "ii", &[0, OUTSIDE], 21, &[0, 0, 0, 0, 0xff]),
    ("clock_res_get", "ii", &[0, 0], 0, &[1, 0, 0, 0, 0, 0, 0, 0, 0xff]),
    ("clock_res_get", "ii", &[2, 0], 58, NOTHING),
    ("clock_time_get", "ili", &[1, 0, 0], 0, &[0xe8, 3, 0, 0, 0, 0, 0, 0, 0xff]),
    ("clock_time_get", "ili", &[2, 0, 0], 58, NOTHING),
    ("clock_time_get", "ili", &[0, 0, OUTSIDE], 21, NOTHING),
    ("environ_get", "ii", &[0, 8], 0, b"\x08\0\0\0\x14\0\0\0KEY1=VALUE1\0KEY2=VALUE2\0\xff"),
    ("environ_sizes_get", "ii", &[0, 4], 0, &[2, 0, 0, 0, 24, 0, 0, 0, 0xff]),
    ("fd_advise", "illi", &[9, 0, 0, 0], 0, NOTHING),
    ("fd_allocate", "ill", &[1, 0, 0], 0, NOTHING),
    ("fd_allocate", "ill", &[3, 0, 0], 8, NOTHING),
    ("fd_close", "i", &[9], 0, NOTHING),
    ("fd_datasync", "i", &[2], 0, NOTHING),
    ("fd_datasync", "i", &[0], 8, NOTHING),
    ("fd_fdstat_get", "ii", &[1, 0], 0, &[0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff]),
    ("fd_fdstat_get", "ii", &[1, OUTSIDE], 0, NOTHING),
    ("fd_fdstat_get", "ii", &[0, 0], 8, NOTHING),
    ("fd_fdstat_set_flags", "ii", &[1, 0], 52, NOTHING),
    ("fd_fdstat_set_rights", "ill", &[1, 0, 0], 0, NOTHING),
    ("fd_filestat_get", "ii", &[1, 0], 8, NOTHING),
    ("fd_filestat_set_size", "il", &[2, 0], 0, NOTHING),
    ("fd_filestat_set_times", "illi", &[5, 0, 0, 0], 8, NOTHING),
    ("fd_pread", "iiili", &[0, 0, 0, 0, 0], 52, NOTHING),
    ("fd_prestat_dir_name", "iii", &[3, 0, 0], 52, NOTHING),
    ("fd_prestat_get", "ii", &[3, 0], 8, NOTHING),
    ("fd_pwrite", "iiili", &[1, 0, 0, 0, 0], 0, &[0, 0, 0, 0, 0xff]),
    ("fd_pwrite", "iiili", &[3, 0, 0, 0, 0], 8, NOTHING),
    ("fd_read", "iiii", &[0, 0, 0, 0], 52, NOTHING),
    ("fd_readdir", "iiili", &[3, 0, 0, 0, 0], 20, &[0, 0, 0, 0, 0xff]),
    ("fd_renumber", "ii", &[1, 2], 58, NOTHING),
    ("fd_renumber", "ii", &[1, 3], 8, NOTHING),
    ("fd_seek", "ilii", &[9, 0, 0, 0], 0, NOTHING),
    ("fd_sync", "i", &[1], 0, NOTHING),
    ("fd_tell", "ii", &[1, 0], 0, &[0, 0, 0, 0, 0, 0, 0, 0, 0xff]),
    ("fd_tell", "ii", &[0, 0], 8, NOTHING),
    ("fd_write", "iiii", &[1, 0, 0, 0], 0, &[0, 0, 0, 0, 0xff]),
    ("fd_write", "iiii", &[1, OUTSIDE, 1, 0], 21, NOTHING),
    ("fd_write", "iiii", &[0, 0, 0, 0], 8, NOTHING),
    ("path_create_directory", "iii", &[0, 0, 0], 58, NOTHING),
    ("path_filestat_get", "iiiii", &[0, 0, 0, 0, 0], 58, NOTHING),
    ("path_filestat_set_times", "iiiilli", &[0, 0, 0, 0, 0, 0, 0], 58, NOTHING),
    ("path_link", "iiiiiii", &[0, 0, 0, 0, 0, 0, 0], 58, NOTHING),
    ("path_open", "iiiiillii", &[0, 0, 0, 0, 0, 0, 0, 0, 0], 44, NOTHING),
    ("path_readlink", "iiiiii", &[0, 0, 0, 0, 0, 0], 58, &[0, 0, 0, 0, 0xff]),
    ("path_remove_directory", "iii", &[0, 0, 0], 58, NOTHING),
    ("path_rename", "iiiiii", &[0, 0, 0, 0, 0, 0], 58, NOTHING),
    ("path_symlink", "iiiii", &[0, 0, 0, 0, 0], 58, NOTHING),
    ("path_unlink_file", "iii", &[0, 0, 0], 58, NOTHING),
    ("poll_oneoff", "iiii", &[0, 0, 0, 0], 0, &[0, 0, 0, 0, 0xff]),
    ("random_get", "ii", &[0, 0], 0, NOTHING),
    ("random_get", "ii", &[0, 65_537], 28, NOTHING),
    ("sched_yield", "", &[], 0, NOTHING),
    ("sock_accept", "iii", &[0, 0, 0], 58, &[0, 0, 0, 0, 0xff]),
    ("sock_recv", "iiiiii", &[0, 0, 0, 0, 0, 4], 58, &[0, 0, 0, 0, 0, 0, 0xff]),
    ("sock_send", "iiiii", &[0, 0, 0, 0, 0], 58, &[0, 0, 0, 0, 0xff]),
    ("sock_shutdown", "ii", &[0, 0], 58, NOTHING),
];

#[test]
fn every_function_answers_as_the_real_host() {
    for (name, params, arguments, answer, memory) in TABLE {
        let mut store = store();
        assert_eq!(call(&mut store, name, params, arguments), Some(answer), "{name}{arguments:?}");
        let guest = store.data().memory.unwrap();
        assert_eq!(&guest.data(&store)[..memory.len()], memory, "{name}{arguments:?}");
    }
}

#[test]
fn all_of_the_preview_is_there() {
    let mut store = store();
    let this = Import { place: 0, allowed: Allowed::EVERYWHERE };
    let mut known: Vec<_> = TABLE.iter().map(|row| row.0).chain(["proc_exit"]).collect();
    known.sort_unstable();
    known.dedup();
    assert_eq!(known.len(), 45);
    for name in known {
        assert!(crate::module::offered("wasi_unstable", name).is_some(), "{name}");
    }
    assert!(super::function(&mut store, "sock_of_the_future", this).is_none());
}

#[test]
fn exiting_is_said_and_returns() {
    let mut store = store();
    assert_eq!(call(&mut store, "proc_exit", "i", &[3]), None);
    assert_eq!(said(&store), [(Level::Error, "the plugin exited with code 3".to_owned())]);
}

#[test]
fn the_clocks_move() {
    let mut store = store();
    for clock in [0, 1] {
        let mut now = || {
            call(&mut store, "clock_time_get", "ili", &[clock, 0, 0]);
            let memory = store.data().memory.unwrap().data(&store);
            u64::from_le_bytes(*memory.first_chunk().unwrap())
        };
        assert!(now() < now());
    }
}

#[test]
fn output_is_a_line_of_all_vectors_without_its_end() {
    let mut store = store();
    let write = |store: &mut Store<State>, fd, parts: &[&[u8]]| {
        let memory = store.data().memory.unwrap();
        let (vectors, mut texts) = (0, 100);
        for (number, part) in parts.iter().enumerate() {
            let bytes = memory.data_mut(&mut *store);
            let words = [texts, part.len()].map(|word| u32::try_from(word).unwrap().to_le_bytes());
            bytes[vectors + number * 8..][..8].copy_from_slice(words.as_flattened());
            bytes[texts..][..part.len()].copy_from_slice(part);
            texts += part.len();
        }
        let count = i64::try_from(parts.len()).unwrap();
        assert_eq!(call(store, "fd_write", "iiii", &[fd, 0, count, 80]), Some(0));
        let bytes = memory.data(&*store);
        let written = u32::from_le_bytes(*bytes[80..].first_chunk().unwrap());
        assert_eq!(written as usize, parts.concat().len());
    };
    write(&mut store, 1, &[b"mono", b"", b"tonic\n"]);
    write(&mut store, 2, &[b"no end"]);
    write(&mut store, 1, &[b"two\n\n"]);
    write(&mut store, 1, &[b"\n"]);
    write(&mut store, 1, &[b"", b""]);
    let lines = [
        (Level::Info, "monotonic"),
        (Level::Error, "no end"),
        (Level::Info, "two\n"),
        (Level::Info, ""),
    ];
    assert_eq!(said(&store), lines.map(|(level, line)| (level, line.to_owned())));
}

#[test]
fn random_bytes_are_given_up_to_the_limit() {
    let mut store = store();
    assert_eq!(call(&mut store, "random_get", "ii", &[0, 65_536]), Some(0));
    let memory = store.data().memory.unwrap();
    assert!(memory.data(&store).iter().any(|byte| *byte != 0xff));
}

fn said(store: &Store<State>) -> Vec<(Level, String)> {
    let lines = store.data().host.log.lines().iter();
    lines.map(|line| (line.level, line.message.clone())).collect()
}
