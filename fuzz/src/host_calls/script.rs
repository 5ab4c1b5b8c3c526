//! Records for the guest, from bytes by chance.

use bench_host::host::encode_pairs;

use super::super::input::Input;
use super::guest::{ARGUMENTS, BASE, RECORD};
use super::imports::{IMPORTS, Import, Kind};

/// Records in one run.
const RECORDS: usize = 96;

/// Texts that lead somewhere, as no chance finds them; a length above all others stands for one.
const WORDS: [&str; 30] = [
    "a",
    "r",
    ":path",
    ":method",
    ":authority",
    ":status",
    ":scheme",
    "content-length",
    "/",
    "POST",
    "204",
    "x",
    "request.path",
    "request\0headers\0x",
    "wasm_need_rebuild",
    "trace_span_tag.a",
    "set_decoder_buffer_limit",
    "clear_route_cache",
    "declare_property",
    "expr_create",
    "s.S",
    "M",
    "*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
    "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n",
    "-1",
    "65536",
    "grpc-status",
    "transfer-encoding",
    "chunked",
    "application/grpc",
];
const FIRST_WORD: u8 = 0xe0;

/// A length that says that address and length follow as they are.
const AS_IT_IS: u8 = 0xff;

/// How often a call is made; what a host takes a thousand of, it is offered more of.
const TIMES: [u32; 4] = [1, 2, 32, 1100];

/// Where the host may write results: below everything else.
const PLACES: u32 = 16;

/// The configuration of the VM that holds the records.
pub fn assemble(input: &mut Input<'_>, allocating: u32) -> Vec<u8> {
    let mut script = Script::default();
    while !input.is_empty() && script.records.len() < RECORDS {
        let record = script.record(input);
        script.records.push(record);
    }
    let end = BASE + 8 + RECORD * script.records.len() as u32;
    let mut bytes = [end, allocating].map(u32::to_le_bytes).concat();
    for record in script.records {
        for word in record {
            let word = match word {
                Word::Plain(word) => word,
                Word::Data(at) => end + at,
            };
            bytes.extend(word.to_le_bytes());
        }
    }
    bytes.extend(script.data);
    bytes
}

#[derive(Default)]
struct Script {
    records: Vec<Vec<Word>>,
    data: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Word {
    Plain(u32),
    /// An address in the data, which lies behind the records.
    Data(u32),
}

impl Script {
    fn record(&mut self, input: &mut Input<'_>) -> Vec<Word> {
        let place = usize::from(input.byte()) % IMPORTS.len();
        let how = input.byte();
        let times = TIMES[usize::from(how >> 3 & 3)];
        let (returns, answer) = (u32::from(how & 1), u32::from(how >> 1 & 3));
        let head = [place as u32, times, returns, answer];
        let mut record: Vec<_> = head.into_iter().map(Word::Plain).collect();
        if how & 0x80 == 0 {
            self.arguments(&IMPORTS[place], input, &mut record);
        }
        // Otherwise, or where there are fewer: whatever comes.
        while record.len() < (RECORD / 4) as usize {
            record.push(Word::Plain(if how & 0x80 == 0 { 0 } else { number(input) }));
        }
        record
    }

    fn arguments(&mut self, import: &Import, input: &mut Input<'_>, record: &mut Vec<Word>) {
        let mut places = PLACES;
        for kind in import.arguments() {
            match kind {
                Kind::Number => record.push(Word::Plain(number(input))),
                Kind::Period => record.push(Word::Plain(number(input).saturating_mul(64))),
                Kind::Long => {
                    record.push(Word::Plain(number(input)));
                    record.push(Word::Plain(number(input)));
                }
                Kind::Place => {
                    record.push(Word::Plain(places));
                    places += 8;
                }
                Kind::Bytes => {
                    let span = match text(input) {
                        Some(text) => self.keep(&text),
                        None => [input.word(), input.word()].map(Word::Plain),
                    };
                    record.extend(span);
                }
                Kind::Pairs => {
                    let pairs: Vec<_> = (0..input.byte() & 7)
                        .map(|_| [text(input), text(input)].map(Option::unwrap_or_default))
                        .collect();
                    let wire = encode_pairs(pairs.iter().map(|[n, v]| (&n[..], &v[..])));
                    record.extend(self.keep(&wire));
                }
            }
        }
        debug_assert!(record.len() <= 4 + ARGUMENTS as usize, "{}", import.name);
    }

    fn keep(&mut self, text: &[u8]) -> [Word; 2] {
        let at = self.data.len() as u32;
        self.data.extend_from_slice(text);
        [Word::Data(at), Word::Plain(text.len() as u32)]
    }
}

/// Mostly a small one.
fn number(input: &mut Input<'_>) -> u32 {
    match input.byte() {
        0xf0 => u32::MAX,
        0xf1 => i32::MAX as u32,
        0xf2 => 1 << 16,
        byte if byte > 0xf2 => input.word(),
        byte => byte.into(),
    }
}

/// `None` stands for an address and a length that follow.
fn text(input: &mut Input<'_>) -> Option<Vec<u8>> {
    let length = input.byte();
    if length == AS_IT_IS {
        return None;
    }
    let word = length.checked_sub(FIRST_WORD).and_then(|place| WORDS.get(usize::from(place)));
    let text = word.map_or_else(|| input.bytes(length.into()), |word| word.as_bytes());
    Some(text.to_vec())
}
