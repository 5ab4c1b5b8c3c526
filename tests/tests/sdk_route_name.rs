//! The names of route and cluster, on hosts that call these properties differently.

use bench_host::measure::Phase;
use bench_host::testing::{Call, Setup};
use chunkwise::http::{EndedStream, HeadersAction, RequestHeaders};
use chunkwise::property::Property;
use chunkwise::{Filter, Result, Unconfigured};

/// Says in request headers what they are, and in the log when the stream has ended.
#[derive(Default)]
struct Names;

fn text(name: Option<Property<'_>>) -> &[u8] {
    name.map_or(b"none", Property::bytes)
}

impl Filter<Unconfigured<Self>> for Names {
    fn request_headers(
        &mut self,
        _plugin: &Unconfigured<Self>,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        headers.set("x-route", text(headers.route_name()?))?;
        headers.set("x-cluster", text(headers.cluster_name()?))?;
        let handle = headers.handle();
        assert_eq!(handle.route_name()?.as_deref(), headers.route_name()?.map(Property::bytes));
        assert_eq!(handle.cluster_name()?.as_deref(), headers.cluster_name()?.map(Property::bytes));
        Ok(HeadersAction::Continue)
    }

    fn done(&mut self, _plugin: &Unconfigured<Self>, stream: &EndedStream<'_>) {
        chunkwise::warn!("{:?}", stream.cluster_name().map(text));
    }
}

#[test]
fn every_host_is_asked_for_what_it_knows() {
    for (setup, learning) in [(Setup::new(), 2), (Setup::new().higress(), 1)] {
        for (route, cluster, shown) in
            [("default/a", "outbound|80||a", "outbound|80||a"), ("", "", "none")]
        {
            let setup = setup.clone().route(route).cluster(cluster);
            let mut host = setup.native::<Unconfigured<Names>>("").unwrap();
            for _ in 0..2 {
                let outcome = host.send(Call::get("/")).unwrap();
                assert_eq!(outcome.upstream.header("x-route").as_deref(), Some(route));
                assert_eq!(outcome.upstream.header("x-cluster").as_deref(), Some(shown));
            }
            let calls = host.ledger().host_calls(Phase::RequestHeaders);
            assert_eq!(calls["proxy_get_property"], learning + 2 * 6, "{calls:?}");
            let line = format!("Ok({:?})", shown.as_bytes());
            assert!(host.log().iter().all(|l| l.message == line), "{:?}", host.log());
        }
    }
}
