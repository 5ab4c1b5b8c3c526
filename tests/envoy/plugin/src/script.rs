//! The language of `x-do`: `qh=set:0:x-a:1,1;qb0=put:0:0:M:new,0;sb=1`.
//!
//! Callbacks are separated by `;`, what happens in one of them by `,`, arguments by `:`. A number
//! alone is the answer. The callbacks: `qh` `qb` `qt` of the request, `sh` `sb` `st` of the
//! response, `log`, `call` for the answer to an HTTP call, `tick`; a number behind `qb`, `sb`,
//! `call` and `tick` stands for the first, second... of them, and without it for all others.

/// What happens in which callback.
#[derive(Clone, Debug, Default)]
pub struct Script {
    callbacks: Vec<(String, Vec<Op>)>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What.
    pub name: String,
    /// With what.
    pub arguments: Vec<String>,
}

impl Script {
    /// Reads one. Anything makes a script; what is no operation is answered with a question mark.
    pub fn parse(text: &str) -> Self {
        let callbacks = text.split(';').filter_map(|part| part.split_once('='));
        let ops = |ops: &str| ops.split(',').map(Op::parse).collect();
        Self { callbacks: callbacks.map(|(name, list)| (name.to_owned(), ops(list))).collect() }
    }

    /// What happens the `turn`th time that a callback is made.
    pub fn of(&self, callback: &str, turn: u32) -> &[Op] {
        let numbered = format!("{callback}{turn}");
        let find = |wanted: &str| self.callbacks.iter().find(|(name, _)| name == wanted);
        find(&numbered).or_else(|| find(callback)).map_or(&[], |(_, ops)| ops)
    }
}

impl Op {
    fn parse(text: &str) -> Self {
        let mut words = text.split(':').map(str::to_owned);
        Self { name: words.next().unwrap_or_default(), arguments: words.collect() }
    }

    /// The argument at a place, empty where there is none.
    pub fn text(&self, at: usize) -> &str {
        self.arguments.get(at).map_or("", String::as_str)
    }

    /// The argument at a place as a number; `M` is the largest one.
    pub fn number(&self, at: usize) -> u32 {
        match self.text(at) {
            "M" => i32::MAX.unsigned_abs(),
            text => text.parse().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbered_callback_comes_first() {
        let script = Script::parse("qh=set:0:x-a:1,1;qb1=put:0:0:M,0;qb=1");
        let names = |ops: &[Op]| ops.iter().map(|op| op.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(script.of("qh", 0)), ["set", "1"]);
        assert_eq!(names(script.of("qb", 0)), ["1"]);
        assert_eq!(names(script.of("qb", 1)), ["put", "0"]);
        assert_eq!(script.of("qb", 1)[0].number(2), i32::MAX.unsigned_abs());
        assert!(script.of("sh", 0).is_empty());
    }
}
