//! What rules look at: the host, the route and the service of a request.

use std::convert::Infallible;

use super::host_pattern::without_port;
use super::lookup::together;
use crate::error::Error;
use crate::http::RequestHeaders;
use crate::property::Property;

/// Which things rules look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Kinds {
    pub(crate) const HOST: Self = Self(1);
    pub(crate) const ROUTE: Self = Self(2);
    pub(crate) const SERVICE: Self = Self(4);
    /// How many sets of them there are.
    pub(crate) const ALL: usize = 8;

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }

    const fn are_several(self) -> bool {
        self.0.count_ones() > 1
    }

    /// The number of the set.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of a request at once. What was not asked for is empty, and so is a route or a
/// cluster that there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Together<'a> {
    pub host: &'a [u8],
    pub route: &'a [u8],
    pub cluster: &'a [u8],
}

/// Something that rules can match. Each method may be a host call, so none is made in vain.
pub(crate) trait Subject {
    /// Why it cannot be looked at.
    type Error;

    /// The host that was asked for, with its port.
    fn host(&self) -> Result<Option<&[u8]>, Self::Error>;

    /// The name of the route that the proxy chose.
    fn route(&self) -> Result<Option<&[u8]>, Self::Error>;

    /// The cluster that the route leads to: `outbound|443||httpbin.dns`.
    fn service(&self) -> Result<Option<&[u8]>, Self::Error>;

    /// All of these, where they can be had at once; otherwise each is asked for when it is needed.
    fn together(&self, _kinds: Kinds) -> Option<Together<'_>> {
        None
    }
}

impl Subject for RequestHeaders<'_> {
    type Error = Error;

    fn host(&self) -> Result<Option<&[u8]>, Error> {
        self.get(":authority")
    }

    fn route(&self) -> Result<Option<&[u8]>, Error> {
        Ok(self.route_name()?.map(Property::bytes))
    }

    fn service(&self) -> Result<Option<&[u8]>, Error> {
        Ok(self.cluster_name()?.map(Property::bytes))
    }

    fn together(&self, kinds: Kinds) -> Option<Together<'_>> {
        together(&self.0, kinds)
    }
}

/// A request as the rules see it, given by hand: for the tests of a plugin's configuration.
///
/// ```
/// use chunkwise::rules::Target;
///
/// let target = Target { host: Some("example.com:443"), ..Target::default() };
/// assert_eq!(target.route, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target<'a> {
    /// The request's `:authority`.
    pub host: Option<&'a str>,
    /// The route's name, as [`Stream::route_name`](crate::http::Stream::route_name) has it.
    pub route: Option<&'a str>,
    /// The cluster's name, as [`Stream::cluster_name`](crate::http::Stream::cluster_name) has it:
    /// `outbound|443||httpbin.dns`.
    pub service: Option<&'a str>,
}

impl Subject for Target<'_> {
    type Error = Infallible;

    fn host(&self) -> Result<Option<&[u8]>, Infallible> {
        Ok(self.host.map(str::as_bytes))
    }

    fn route(&self) -> Result<Option<&[u8]>, Infallible> {
        Ok(self.route.map(str::as_bytes))
    }

    fn service(&self) -> Result<Option<&[u8]>, Infallible> {
        Ok(self.service.map(str::as_bytes))
    }
}

/// What is known of a subject: each thing is asked for when a rule needs it, and at most once.
pub(crate) struct Seen<'s, S> {
    subject: &'s S,
    together: Option<Together<'s>>,
    host: Option<Option<&'s [u8]>>,
    route: Option<Option<&'s [u8]>>,
    service: Option<Option<Service<'s>>>,
}

impl<'s, S: Subject> Seen<'s, S> {
    /// `kinds` are those of all rules, of which the first already looks at one.
    pub(crate) fn new(subject: &'s S, kinds: Kinds) -> Self {
        let together = if kinds.are_several() { subject.together(kinds) } else { None };
        Self { subject, together, host: None, route: None, service: None }
    }

    /// The host without its port.
    pub(crate) fn host(&mut self) -> Result<Option<&'s [u8]>, S::Error> {
        let (subject, together) = (self.subject, self.together);
        asked_once(&mut self.host, || {
            let host = together.map_or_else(|| subject.host(), |all| Ok(Some(all.host)))?;
            Ok(host.map(without_port))
        })
    }

    pub(crate) fn route(&mut self) -> Result<Option<&'s [u8]>, S::Error> {
        let (subject, together) = (self.subject, self.together);
        asked_once(&mut self.route, || {
            together.map_or_else(|| subject.route(), |all| Ok(Some(all.route)))
        })
    }

    pub(crate) fn service(&mut self) -> Result<Option<Service<'s>>, S::Error> {
        let (subject, together) = (self.subject, self.together);
        asked_once(&mut self.service, || {
            let cluster =
                together.map_or_else(|| subject.service(), |all| Ok(Some(all.cluster)))?;
            Ok(cluster.and_then(Service::of_cluster))
        })
    }
}

fn asked_once<T: Copy, E>(
    known: &mut Option<T>,
    ask: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    match *known {
        Some(answer) => Ok(answer),
        None => Ok(*known.insert(ask()?)),
    }
}

/// The service behind a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Service<'a> {
    name: &'a [u8],
    port: &'a [u8],
}

impl<'a> Service<'a> {
    /// Reads `direction|port|subset|name`, as Istio calls its clusters; others are no service.
    fn of_cluster(cluster: &'a [u8]) -> Option<Self> {
        let mut parts = cluster.split(|byte| *byte == b'|');
        let (_direction, port) = (parts.next()?, parts.next()?);
        let (_subset, name) = (parts.next()?, parts.next()?);
        parts.next().is_none().then_some(Self { name, port })
    }

    /// Whether `wanted` is `name` or `name:port`.
    pub(crate) fn is(&self, wanted: &str) -> bool {
        match wanted.as_bytes().strip_prefix(self.name) {
            Some([]) => true,
            Some([b':', port @ ..]) => port == self.port,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_four_parts() {
        let service = Service::of_cluster(b"outbound|443|v1|svc.dns").unwrap();
        for (wanted, is) in [
            ("svc.dns", true),
            ("svc.dns:443", true),
            ("svc.dns:80", false),
            ("svc.dns:", false),
            ("svc.dns:4430", false),
            ("svc", false),
            ("svc.dns.x", false),
            ("", false),
        ] {
            assert_eq!(service.is(wanted), is, "{wanted}");
        }
        for cluster in ["", "svc.dns", "a|b|c", "a|b|c|d|e"] {
            assert_eq!(Service::of_cluster(cluster.as_bytes()), None, "{cluster}");
        }
        let nameless = Service::of_cluster(b"outbound|80||").unwrap();
        assert!(nameless.is(":80") && !nameless.is("80"));
    }
}
