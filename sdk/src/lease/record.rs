//! The shared value: who leads, and until when.

use std::hash::{BuildHasher, RandomState};

/// The longest term, in nanoseconds: an hour.
pub(super) const LONGEST: u64 = 3_600_000_000_000;

/// A candidate. No other candidate of the proxy has the same, not even one of the same VM with
/// another configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner(pub [u8; 16]);

impl Owner {
    /// 128 random bits.
    ///
    /// They are hashes under keys that the standard library draws from the host (`random_get` of
    /// WASI; natively the system's). On a target without such a source it has to make do with an
    /// address, which may be the same in every VM; so what is hashed tells VMs apart as well, as
    /// far as can be: the time in nanoseconds, and an address.
    pub fn random(now: u64, address: usize) -> Self {
        let hash = || RandomState::new().hash_one((now, address));
        Self(((u128::from(hash()) << 64) | u128::from(hash())).to_le_bytes())
    }
}

/// The shared value.
///
/// ```text
///   1 byte    16 bytes   8 bytes
///   version   owner      until: nanoseconds since 1970, little-endian
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub owner: Owner,
    /// When it may be taken over.
    pub until: u64,
}

const VERSION: u8 = 1;

const LEN: usize = 1 + 16 + 8;

impl Record {
    pub fn encode(self) -> [u8; LEN] {
        let mut bytes = [VERSION; LEN];
        bytes[1..17].copy_from_slice(&self.owner.0);
        bytes[17..].copy_from_slice(&self.until.to_le_bytes());
        bytes
    }

    /// `None`: it is none, or none that anybody can have written by now.
    pub fn parse(bytes: &[u8], now: u64) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (owner, until) = rest.split_first_chunk()?;
        let until = u64::from_le_bytes(until.try_into().ok()?);
        let is_possible = until.saturating_sub(now) <= LONGEST;
        (*version == VERSION && is_possible).then_some(Self { owner: Owner(*owner), until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let record = Record { owner: Owner(*b"0123456789abcdef"), until: 0x0102_0304 };
        let bytes = record.encode();
        assert_eq!(&bytes, b"\x010123456789abcdef\x04\x03\x02\x01\0\0\0\0");
        assert_eq!(Record::parse(&bytes, 0), Some(record));
        assert_eq!(Record::parse(&bytes, u64::MAX), Some(record));
    }

    #[test]
    fn anything_else_is_no_record() {
        let record = Record { owner: Owner([7; 16]), until: 10 + LONGEST }.encode();
        assert!(Record::parse(&record, 10).is_some());
        assert_eq!(Record::parse(&record, 9), None, "nobody can have written that by now");
        assert_eq!(Record::parse(&[&[2], &record[1..]].concat(), 10), None);
        assert_eq!(Record::parse(&[&record[..], &[0]].concat(), 10), None);
        for len in 0..record.len() {
            assert_eq!(Record::parse(&record[..len], 10), None, "{len} bytes");
        }
    }

    #[test]
    fn owners_differ_even_where_time_and_address_do_not() {
        assert_ne!(Owner::random(1, 2), Owner::random(1, 2));
        let Owner(bytes) = Owner::random(1, 2);
        assert_ne!(bytes[..8], bytes[8..]);
    }
}
