//! Metrics that a plugin defines.

use std::collections::BTreeMap;

use super::Host;
use super::abi::Status;
use super::quota::entry_size;

/// The metrics of one VM.
///
/// A number's low two bits are the kind; the numbers of a kind count up in steps of 4. To define a
/// name again gives the number that it has; real proxies give a new number for the same metric.
#[derive(Debug, Default)]
pub struct Metrics {
    counters: Vec<u64>,
    gauges: Vec<u64>,
    histograms: Vec<Histogram>,
    ids: BTreeMap<(MetricKind, Vec<u8>), u32>,
}

/// What a metric does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricKind {
    /// Adds up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Keeps a distribution.
    Histogram,
}

/// What became of what a histogram was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many values.
    pub count: u64,
    /// Their sum, which stops at the highest number.
    pub sum: u64,
    /// The lowest; 0 when there is none.
    pub min: u64,
    /// The highest.
    pub max: u64,
}

/// What a metric shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Of a counter or a gauge.
    Number(u64),
    /// Of a histogram.
    Histogram(Histogram),
}

/// How many bits of a number are the kind.
const KIND_BITS: u32 = 2;

impl Metrics {
    /// Most metrics that a VM can define.
    pub const MAX: usize = 10_000;

    /// Most bytes of a name.
    pub const MAX_NAME: usize = 4096;

    /// Defines a metric, or finds it.
    ///
    /// # Errors
    /// [`Status::BadArgument`] for an unknown kind; [`Status::InternalFailure`] for more metrics
    /// or a longer name than [`MAX`](Self::MAX) and [`MAX_NAME`](Self::MAX_NAME) allow.
    pub fn define(&mut self, kind: u32, name: &[u8]) -> Result<u32, Status> {
        let kind = MetricKind::from_abi(kind).ok_or(Status::BadArgument)?;
        if name.len() > Self::MAX_NAME {
            return Err(Status::InternalFailure);
        }
        let key = (kind, name.to_vec());
        if let Some(id) = self.ids.get(&key) {
            return Ok(*id);
        }
        if self.ids.len() >= Self::MAX {
            return Err(Status::InternalFailure);
        }
        let at = match kind {
            MetricKind::Counter => push(&mut self.counters),
            MetricKind::Gauge => push(&mut self.gauges),
            MetricKind::Histogram => push(&mut self.histograms),
        };
        let at = u32::try_from(at).map_err(|_| Status::InternalFailure)?;
        let id = (at << KIND_BITS) | kind as u32;
        self.ids.insert(key, id);
        Ok(id)
    }

    /// Adds to a counter, for which the offset must be positive, or to a gauge.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown metric, [`Status::BadArgument`] for any other misuse.
    pub fn increment(&mut self, id: u32, by: i64) -> Result<(), Status> {
        match self.find(id)? {
            Found::Counter(value) if by > 0 => *value = value.wrapping_add(by.unsigned_abs()),
            Found::Gauge(value) => *value = value.wrapping_add_signed(by),
            Found::Counter(_) | Found::Histogram(_) => return Err(Status::BadArgument),
        }
        Ok(())
    }

    /// Records a value: adds to a counter, sets a gauge, adds one to a histogram.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown metric.
    pub fn record(&mut self, id: u32, value: u64) -> Result<(), Status> {
        match self.find(id)? {
            Found::Counter(counter) => *counter = counter.wrapping_add(value),
            Found::Gauge(gauge) => *gauge = value,
            Found::Histogram(histogram) => histogram.record(value),
        }
        Ok(())
    }

    /// The value of a counter or a gauge.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown metric, [`Status::BadArgument`] for a histogram, which
    /// no proxy lets a plugin read.
    pub fn get(&mut self, id: u32) -> Result<u64, Status> {
        match self.find(id)? {
            Found::Counter(value) | Found::Gauge(value) => Ok(*value),
            Found::Histogram(_) => Err(Status::BadArgument),
        }
    }

    /// All metrics by kind and name, and what they show.
    pub fn iter(&self) -> impl Iterator<Item = (MetricKind, &[u8], Reading)> {
        self.ids.iter().filter_map(|((kind, name), id)| {
            let at = (id >> KIND_BITS) as usize;
            let reading = match kind {
                MetricKind::Counter => Reading::Number(*self.counters.get(at)?),
                MetricKind::Gauge => Reading::Number(*self.gauges.get(at)?),
                MetricKind::Histogram => Reading::Histogram(*self.histograms.get(at)?),
            };
            Some((*kind, name.as_slice(), reading))
        })
    }

    fn find(&mut self, id: u32) -> Result<Found<'_>, Status> {
        let at = (id >> KIND_BITS) as usize;
        let found = match MetricKind::from_abi(id & 3) {
            Some(MetricKind::Counter) => self.counters.get_mut(at).map(Found::Counter),
            Some(MetricKind::Gauge) => self.gauges.get_mut(at).map(Found::Gauge),
            Some(MetricKind::Histogram) => self.histograms.get_mut(at).map(Found::Histogram),
            None => None,
        };
        found.ok_or(Status::NotFound)
    }
}

impl Host {
    /// Defines a metric, within the quota of the VM.
    ///
    /// # Errors
    /// As [`Metrics::define`], and [`Status::InternalFailure`] when the quota is used up.
    pub(super) fn define_metric(&mut self, kind: u32, name: &[u8]) -> Result<u32, Status> {
        let size = entry_size(name, &[]);
        self.quota.charge("metrics", size)?;
        let before = self.metrics.ids.len();
        let id = self.metrics.define(kind, name);
        if self.metrics.ids.len() == before {
            self.quota.release(size);
        }
        id
    }
}

enum Found<'a> {
    Counter(&'a mut u64),
    Gauge(&'a mut u64),
    Histogram(&'a mut Histogram),
}

impl MetricKind {
    fn from_abi(number: u32) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram].into_iter().find(|k| *k as u32 == number)
    }
}

impl Histogram {
    fn record(&mut self, value: u64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
    }
}

/// Adds an empty one and says where.
fn push<T: Default>(all: &mut Vec<T>) -> usize {
    all.push(T::default());
    all.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_take_what_the_real_host_takes() {
        let mut metrics = Metrics::default();
        let counter = metrics.define(0, b"c").unwrap();
        let gauge = metrics.define(1, b"g").unwrap();
        let histogram = metrics.define(2, b"h").unwrap();
        assert_eq!((counter, gauge, histogram), (0, 1, 2));
        assert_eq!(metrics.define(1, b"c"), Ok(5), "each kind counts for itself");
        assert_eq!(metrics.define(0, b"c"), Ok(counter));
        assert_eq!(metrics.define(3, b"x"), Err(Status::BadArgument));
        metrics.increment(counter, 2).unwrap();
        for offset in [0, -1, i64::MIN] {
            assert_eq!(metrics.increment(counter, offset), Err(Status::BadArgument));
        }
        metrics.record(counter, 3).unwrap();
        metrics.record(gauge, 5).unwrap();
        metrics.increment(gauge, -2).unwrap();
        assert_eq!(metrics.increment(histogram, 1), Err(Status::BadArgument));
        assert_eq!((metrics.get(counter), metrics.get(gauge)), (Ok(5), Ok(3)));
        assert_eq!(metrics.get(histogram), Err(Status::BadArgument));
        for unknown in [3, 4, u32::MAX] {
            assert_eq!(metrics.get(unknown), Err(Status::NotFound), "{unknown}");
        }
    }

    #[test]
    fn the_list_shows_every_metric_once() {
        let mut metrics = Metrics::default();
        let histogram = metrics.define(2, b"h").unwrap();
        let counter = metrics.define(0, b"b\xff").unwrap();
        metrics.define(0, b"a").unwrap();
        metrics.record(counter, 7).unwrap();
        for value in [4, 2, u64::MAX] {
            metrics.record(histogram, value).unwrap();
        }
        let shown = Histogram { count: 3, sum: u64::MAX, min: 2, max: u64::MAX };
        let expected = [
            (MetricKind::Counter, &b"a"[..], Reading::Number(0)),
            (MetricKind::Counter, b"b\xff", Reading::Number(7)),
            (MetricKind::Histogram, b"h", Reading::Histogram(shown)),
        ];
        assert!(metrics.iter().eq(expected));
    }

    #[test]
    fn there_is_an_end_to_metrics_and_names() {
        let mut metrics = Metrics::default();
        assert_eq!(metrics.define(0, &[b'n'; Metrics::MAX_NAME + 1]), Err(Status::InternalFailure));
        for number in 0..Metrics::MAX {
            metrics.define(0, number.to_string().as_bytes()).unwrap();
        }
        assert_eq!(metrics.define(0, b"one more"), Err(Status::InternalFailure));
        assert_eq!(metrics.define(0, b"0"), Ok(0));
    }
}
