//! Metrics that a plugin defines.

use super::abi::Status;

/// The metrics of one VM.
#[derive(Debug, Default)]
pub struct Metrics {
    all: Vec<Metric>,
}

#[derive(Debug)]
struct Metric {
    kind: Kind,
    name: String,
    value: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Metrics {
    /// Defines a metric, or finds it. The low two bits of an id are its kind.
    pub fn define(&mut self, kind: u32, name: &[u8]) -> Result<u32, Status> {
        let kind = match kind {
            0 => Kind::Counter,
            1 => Kind::Gauge,
            2 => Kind::Histogram,
            _ => return Err(Status::BadArgument),
        };
        let name = String::from_utf8_lossy(name).into_owned();
        let known = self.all.iter().position(|m| m.kind == kind && m.name == name);
        let at = known.unwrap_or_else(|| {
            self.all.push(Metric { kind, name, value: 0 });
            self.all.len() - 1
        });
        let at = u32::try_from(at).map_err(|_| Status::InternalFailure)?;
        Ok((at << 2) | kind as u32)
    }

    /// Adds to a counter or a gauge.
    pub fn increment(&mut self, id: u32, by: i64) -> Result<(), Status> {
        let metric = self.find(id)?;
        match metric.kind {
            Kind::Counter if by > 0 => {}
            Kind::Gauge => {}
            Kind::Counter | Kind::Histogram => return Err(Status::BadArgument),
        }
        metric.value = metric.value.wrapping_add_signed(by);
        Ok(())
    }

    /// Records a value: adds to a counter, sets a gauge.
    pub fn record(&mut self, id: u32, value: u64) -> Result<(), Status> {
        let metric = self.find(id)?;
        match metric.kind {
            Kind::Counter => metric.value = metric.value.wrapping_add(value),
            Kind::Gauge | Kind::Histogram => metric.value = value,
        }
        Ok(())
    }

    /// The value of a counter or a gauge.
    pub fn get(&mut self, id: u32) -> Result<u64, Status> {
        let metric = self.find(id)?;
        if metric.kind == Kind::Histogram { Err(Status::BadArgument) } else { Ok(metric.value) }
    }

    fn find(&mut self, id: u32) -> Result<&mut Metric, Status> {
        let metric = usize::try_from(id >> 2).ok().and_then(|at| self.all.get_mut(at));
        metric.filter(|metric| metric.kind as u32 == id & 3).ok_or(Status::NotFound)
    }
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
        assert_eq!(metrics.define(0, b"c"), Ok(counter));
        assert_eq!(metrics.define(3, b"x"), Err(Status::BadArgument));
        metrics.increment(counter, 2).unwrap();
        assert_eq!(metrics.increment(counter, -1), Err(Status::BadArgument));
        metrics.record(gauge, 5).unwrap();
        metrics.increment(gauge, -2).unwrap();
        assert_eq!(metrics.increment(histogram, 1), Err(Status::BadArgument));
        assert_eq!((metrics.get(counter), metrics.get(gauge)), (Ok(2), Ok(3)));
        assert_eq!(metrics.get(histogram), Err(Status::BadArgument));
        assert_eq!(metrics.get(u32::MAX), Err(Status::NotFound));
    }
}
