//! Seeded text that looks like English.

/// Common words.
const WORDS: &str = "a about after again all also an and any are as at away back be because been \
    before began being between book both but by call came can change children city come could \
    country cut day did different do does down each earth end enough even every eye face family \
    far father feet few find first follow food for found four from get give go good great group \
    grow had half hand hard has have he head help her here high him his home house how i idea if \
    in into is it its just keep kind know land large last later learn leave left letter life \
    light like line list little live long look made make man many may me mean men might mile \
    mother mountain move much must my name near need never new next night no not now number of \
    off often oil old on once one only open or other our out over own page paper part people \
    picture place plant play point put question quick read really right river run said same saw \
    say school sea second see seem sentence set she should show side small so some something \
    song soon sound spell still stop story study such take talk tell than that the their them \
    then there these they thing think this those thought three through time to together too took \
    tree try turn two under until up us use very walk want was watch water way we well went were \
    what when where which while white who why will with without word work world would write year \
    you young your";

/// An endless, repeatable stream of words.
pub(super) struct Words {
    list: Vec<&'static str>,
    random: Random,
}

impl Words {
    pub(super) fn new(seed: u64) -> Self {
        Self { list: WORDS.split_ascii_whitespace().collect(), random: Random::new(seed) }
    }

    /// Appends exactly `len` bytes of words and spaces; the last word may be cut.
    pub(super) fn fill(&mut self, text: &mut Vec<u8>, len: usize) {
        let end = text.len() + len;
        while text.len() < end {
            let word = self.list[self.random.below(self.list.len())];
            text.extend_from_slice(word.as_bytes());
            text.push(b' ');
        }
        text.truncate(end);
    }
}

/// SplitMix64: the smallest generator that passes for random in a text.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`, or 0 when `limit` is 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let scaled = (u128::from(mixed) * limit as u128) >> 64;
        usize::try_from(scaled).expect("below `limit`, which is a usize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seed: u64, len: usize) -> String {
        let mut text = Vec::new();
        Words::new(seed).fill(&mut text, len);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_seed_names_a_text() {
        assert_eq!(text(1, 1000), text(1, 1000));
        assert_ne!(text(1, 1000), text(2, 1000));
        assert_eq!(text(7, 48), text(7, 1000)[..48]);
    }

    #[test]
    fn the_text_is_lower_case_words_of_the_usual_length() {
        let text = text(3, 100_000);
        assert!(text.bytes().all(|b| b == b' ' || b.is_ascii_lowercase()));
        let words = text.split(' ').count();
        assert!((15_000..25_000).contains(&words), "{words}");
    }

    #[test]
    fn numbers_stay_below_their_limit() {
        let mut random = Random::new(0);
        assert!((0..1000).all(|_| random.below(3) < 3));
        assert_eq!(random.below(0), 0);
    }
}
