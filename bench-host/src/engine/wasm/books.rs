//! The guest's own books on its heap, where it keeps any.

use wasmtime::{Instance, Memory};

use super::run::Runner;

/// Where the books lie (`chunkwise::memory::Books`): words of 64 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Books(usize);

/// First word of the books, and how many words follow that are read.
const VERSION: u64 = 1;
const WORDS: usize = 5;

/// What the word behind those says once the guest has decided to end its VM (`Books::ENDING`).
/// Whatever lies there in a guest without that word is another value.
const ENDING: u64 = u64::from_le_bytes(*b"rebuild!");

/// More than a guest allocates in a year; whoever says so has no books. Sums over VMs stay numbers.
const MOST: u64 = 1 << 48;

impl Books {
    /// Asks the guest. Whatever it answers, the worst is that it has no books.
    pub fn find(runner: &mut Runner, instance: &Instance, memory: Memory) -> Option<Self> {
        let find = instance.get_typed_func::<(), u32>(&mut runner.store, "chunkwise_books").ok()?;
        let at = runner.run("chunkwise_books", &find, ()).ok()?;
        let at = usize::try_from(at).ok()?;
        let version = memory.data(&runner.store).get(at..)?.first_chunk()?;
        (u64::from_le_bytes(*version) == VERSION).then_some(Self(at))
    }

    /// Whether a trap was the guest's decision.
    pub fn say_that_it_ends(self, runner: &Runner, memory: Memory) -> bool {
        let begin = self.0.checked_add((1 + WORDS) * 8);
        let word = begin.and_then(|begin| memory.data(&runner.store).get(begin..)?.first_chunk());
        word.is_some_and(|word| u64::from_le_bytes(*word) == ENDING)
    }

    /// What they say now: allocations, bytes of these, live, peak, arena.
    pub fn read(self, runner: &Runner, memory: Memory) -> Option<[u64; WORDS]> {
        let begin = self.0.checked_add(8)?;
        let bytes = memory.data(&runner.store).get(begin..begin.checked_add(WORDS * 8)?)?;
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words.iter().all(|word| *word <= MOST).then_some(words)
    }
}
