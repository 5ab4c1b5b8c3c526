//! The store behind scripted upstreams, as a plugin talks to it.

use std::time::Duration;

use bench_host::upstream::{RedisAnswer, RedisCall, Upstreams};

use super::input::Input;

/// A cluster whose commands all go to its store.
const SCRIPT: &str = "[cluster.r]\nstore = true\n";

/// Commands in one run.
const COMMANDS: usize = 64;

/// Any bytes are answered, with one whole reply of RESP. The first byte of each command says how
/// it is sent: as it is, or cut into words and framed.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let mut session = Upstreams::parse(SCRIPT, "store.toml").expect("it is a script").session();
    for _ in 0..COMMANDS {
        if input.is_empty() {
            break;
        }
        let how = input.byte();
        let text = input.text();
        let framed = framed(text);
        let query = if how & 1 == 0 { &framed } else { text };
        // Time does not go back; a command may set times of expiry that lie anywhere.
        let now = Duration::from_millis(u64::from(how) << 3);
        let outcome = session.redis(b"r", &RedisCall { query, timeout: None, now });
        match outcome.expect("the store never keeps silent").what {
            RedisAnswer::Reply(reply) => {
                assert_eq!(reply_length(&reply), Some(reply.len()), "{reply:?}");
            }
            other => panic!("the store is always there: {other:?}"),
        }
    }
}

/// Words between spaces as a command.
fn framed(text: &[u8]) -> Vec<u8> {
    let words: Vec<_> = text.split(|byte| *byte == b' ').collect();
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        command.extend(format!("${}\r\n", word.len()).as_bytes());
        command.extend([word, b"\r\n"].concat());
    }
    command
}

/// How long the reply is that these bytes begin with.
fn reply_length(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let number = || std::str::from_utf8(&bytes[1..end]).ok()?.parse::<i64>().ok();
    let after = end + 2;
    match bytes.first()? {
        b'+' | b'-' => Some(after),
        b':' => number().map(|_| after),
        b'$' => match usize::try_from(number()?) {
            Err(_) => Some(after),
            Ok(length) => {
                bytes[after + length..].starts_with(b"\r\n").then_some(after + length + 2)
            }
        },
        b'*' => (0..number()?).try_fold(after, |at, _| Some(at + reply_length(bytes.get(at..)?)?)),
        _ => None,
    }
}
