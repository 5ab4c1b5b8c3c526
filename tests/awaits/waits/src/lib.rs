//! A request waits for as many calls as its header `x-calls` says, one after the other; then it
//! gets the last answer in `x-user`, or is refused.

use chunkwise::call::{Client, TargetCluster};
use chunkwise::http::{HeadersAction, Reply, RequestHeaders, Resume};
use chunkwise::{Config, ConfigError, Filter, Plugin, Result};

chunkwise::plugin!(Waits);

#[derive(Debug)]
struct Waits {
    client: Client,
}

#[derive(Debug)]
struct Stream;

impl Plugin for Waits {
    type Filter = Stream;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self { client: Client::new(TargetCluster::new("auth", "auth")) })
    }

    fn filter(&self) -> Stream {
        Stream
    }
}

impl Filter<Waits> for Stream {
    fn request_headers(
        &mut self,
        plugin: &Waits,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let calls = headers.get("x-calls")?.unwrap_or_default();
        let calls = str::from_utf8(calls).ok().and_then(|calls| calls.parse().ok()).unwrap_or(0);
        let client = plugin.client.clone();
        Ok(headers.wait(async move |request| {
            for call in 1..=calls {
                let reply = client.get("/check").send().await?;
                if reply.status() != 200 {
                    return request.reply(&Reply::new(403));
                }
                if call == calls {
                    request.set("x-user", reply.body())?;
                }
            }
            Ok(Resume::Continue)
        }))
    }
}
