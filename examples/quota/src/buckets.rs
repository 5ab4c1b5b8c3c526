//! Token buckets of a few clients.

use std::num::NonZeroU32;
use std::time::Duration;

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Nanoseconds in which a token comes back.
    interval: u64,
    /// Nanoseconds in which an empty bucket is full.
    depth: u64,
}

/// What became of a request for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// There was one.
    Token {
        /// The client took the place of another one whose bucket was not full yet.
        forgot_another: bool,
    },
    /// There is none before so much time has passed.
    None { wait: Duration },
}

/// The buckets of the eight clients that came last, of those that share this place.
///
/// A bucket is the time at which it is full again, so that it fills by itself (the generic cell
/// rate algorithm, ITU-T I.371, with its theoretical arrival time).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buckets([Bucket; CLIENTS]);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    client: u64,
    full_at: u64,
}

/// Clients of one place.
pub const CLIENTS: usize = 8;

/// A client and a time, little end first.
const BUCKET: usize = 16;

impl Rate {
    /// So many requests in a period, of which `burst` may come at once.
    pub fn new(requests: NonZeroU32, period: Duration, burst: NonZeroU32) -> Self {
        // At most 2³² seconds of 10⁹ nanoseconds: 62 bits.
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        let interval = (period / u64::from(requests.get())).max(1);
        Self { interval, depth: interval.saturating_mul(burst.get().into()) }
    }
}

impl Buckets {
    /// Takes a token of a client. Where there is none, nothing has changed.
    pub fn take(&mut self, client: u64, now: Duration, rate: Rate) -> Taken {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let at = self.0.iter().position(|bucket| bucket.client == client);
        let at = at.unwrap_or_else(|| self.fullest());
        let bucket = &mut self.0[at];
        let forgot_another = bucket.client != client && bucket.full_at > now;
        let full_at = if bucket.client == client { bucket.full_at } else { now };
        // A clock that went back, or a rate that has changed, leaves nobody out for long.
        let latest = now.saturating_add(rate.depth);
        let full_at = full_at.clamp(now, latest).saturating_add(rate.interval);
        match full_at.checked_sub(latest) {
            None | Some(0) => {
                *bucket = Bucket { client, full_at };
                Taken::Token { forgot_another }
            }
            Some(wait) => Taken::None { wait: Duration::from_nanos(wait) },
        }
    }

    /// The bucket that will be full first: that of the client who loses least when it is forgotten.
    fn fullest(&self) -> usize {
        let by_time = self.0.iter().enumerate().min_by_key(|(_, bucket)| bucket.full_at);
        by_time.map_or(0, |(at, _)| at)
    }

    /// As they are shared.
    pub fn to_bytes(self) -> [u8; CLIENTS * BUCKET] {
        let mut bytes = [0; CLIENTS * BUCKET];
        for (place, bucket) in bytes.chunks_exact_mut(BUCKET).zip(self.0) {
            place[..8].copy_from_slice(&bucket.client.to_le_bytes());
            place[8..].copy_from_slice(&bucket.full_at.to_le_bytes());
        }
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) wrote; no clients when it is something else.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut buckets = Self::default();
        if words.len() != 2 * CLIENTS || !rest.is_empty() {
            return buckets;
        }
        for (bucket, words) in buckets.0.iter_mut().zip(words.chunks_exact(2)) {
            let [client, full_at] = [words[0], words[1]].map(u64::from_le_bytes);
            *bucket = Bucket { client, full_at };
        }
        buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(requests: u32, seconds: u64, burst: u32) -> Rate {
        let [requests, burst] = [requests, burst].map(|number| NonZeroU32::new(number).unwrap());
        Rate::new(requests, Duration::from_secs(seconds), burst)
    }

    fn at(milliseconds: u64) -> Duration {
        Duration::from_secs(1_700_000_000) + Duration::from_millis(milliseconds)
    }

    const TOKEN: Taken = Taken::Token { forgot_another: false };

    fn none(milliseconds: u64) -> Taken {
        Taken::None { wait: Duration::from_millis(milliseconds) }
    }

    #[test]
    fn a_bucket_is_emptied_and_fills_again() {
        let rate = rate(2, 1, 3);
        let mut buckets = Buckets::default();
        let mut take = |milliseconds| buckets.take(7, at(milliseconds), rate);
        assert_eq!([take(0), take(0), take(0), take(0)], [TOKEN, TOKEN, TOKEN, none(500)]);
        assert_eq!([take(499), take(500), take(500)], [none(1), TOKEN, none(500)]);
        // It holds no more than the burst, however long it had time.
        assert_eq!([0; 4].map(|_| take(60_000)), [TOKEN, TOKEN, TOKEN, none(500)]);
    }

    #[test]
    fn a_clock_that_goes_back_and_a_slower_rate_before_leave_nobody_out_for_long() {
        let mut buckets = Buckets::default();
        assert_eq!(buckets.take(7, at(90_000_000), rate(1, 86_400, 1)), TOKEN);
        assert_eq!(buckets.take(7, at(0), rate(2, 1, 3)), none(500));
        assert_eq!(buckets.take(7, at(500), rate(2, 1, 3)), none(500));
    }

    #[test]
    fn whose_bucket_is_fullest_is_forgotten_first() {
        let rate = rate(1, 1, 10);
        let mut buckets = Buckets::default();
        for client in 1..=CLIENTS as u64 {
            assert_eq!(buckets.take(client, at(client), rate), TOKEN);
        }
        assert_eq!(buckets.take(1, at(20), rate), TOKEN);
        let forgotten = Taken::Token { forgot_another: true };
        assert_eq!(buckets.take(100, at(20), rate), forgotten);
        assert!(buckets.0.iter().all(|bucket| bucket.client != 2));
        // Full buckets are forgotten without loss.
        assert_eq!(buckets.take(101, at(20_000), rate), TOKEN);
    }

    #[test]
    fn extremes_are_no_danger() {
        let rates =
            [rate(u32::MAX, 1, u32::MAX), rate(1, u32::MAX.into(), u32::MAX), rate(u32::MAX, 1, 1)];
        for rate in rates {
            for now in [Duration::ZERO, at(0), Duration::MAX] {
                let mut buckets = Buckets::default();
                for _ in 0..3 {
                    buckets.take(u64::MAX, now, rate);
                }
            }
        }
    }

    #[test]
    fn what_is_shared_comes_back() {
        let mut buckets = Buckets::default();
        for client in 1..5 {
            buckets.take(client << 40, at(client), rate(5, 1, 5));
        }
        assert_eq!(Buckets::from_bytes(&buckets.to_bytes()), buckets);
        for other in [&b""[..], b"x", &[1; 127], &[1; 129], &[1; 136]] {
            assert_eq!(Buckets::from_bytes(other), Buckets::default());
        }
    }
}
