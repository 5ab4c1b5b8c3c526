//! VMs that end themselves for fresh ones under load: Envoy makes those, and no request fails.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::thread;
use std::time::{Duration, Instant};

use bench_host::testing::{Answer, Call};
use bench_host::traffic::{Exchange, HttpVersion};
use bench_host::upstream::Upstreams;
use envoy_tests::bootstrap::ports;
use envoy_tests::load::Report;
use envoy_tests::origin::Reply;
use envoy_tests::{Bootstrap, Gateway, Load, Origin, Services, envoy};

/// What `tests/leaks` may have before it is made anew, and the pages by which it is seen late: a
/// stream or two may be open at that moment.
const LIMIT: u64 = 16 * 1024 * 1024;
const PAGE: u64 = 64 * 1024;
const LATE: u64 = 16 * PAGE;

const LEAK: u64 = 512;

/// The example's bootstrap, which is what a user has, with another module in it.
fn leaks(origin: &Origin) -> Bootstrap {
    chunkwise_tests::module("tests/leaks");
    let bootstrap = Bootstrap::of_example("rebuild").unwrap();
    let bootstrap = bootstrap.replace("guest/rebuild.wasm", "guest/leaks.wasm").unwrap();
    bootstrap.port(ports::UPSTREAM, origin.port()).unwrap()
}

fn origin() -> Origin {
    Origin::always(Reply::new(Answer::new(200), Duration::ZERO)).unwrap()
}

/// A load of requests of the tenant that all tests have, with which so much is forgotten.
fn load(http: HttpVersion, leak: u64) -> Load {
    let call = Call::get("/shop/1").header("x-tenant", "jo").header("x-leak", &leak.to_string());
    let call = call.answer(Answer::new(200));
    let exchange = Exchange { http, ..Exchange::from(call) };
    Load::new(&[exchange], Duration::ZERO).unwrap()
}

fn reloads(gateway: &Gateway) -> u64 {
    gateway.stat("wasm.rebuild.vm_reload_success").unwrap()
}

/// How many VMs have said that they end for a fresh one.
fn ended(gateway: &Gateway) -> u64 {
    gateway.log().unwrap().matches("ends this VM for a fresh one").count() as u64
}

/// All went well; says how.
fn check(what: &str, gateway: &Gateway, report: &Report) {
    assert!(report.failures.is_empty(), "{what}: {:?}", report.failures);
    for failure in ["vm_reload_backoff", "vm_reload_failure"] {
        assert_eq!(gateway.stat(&format!("wasm.rebuild.{failure}")).unwrap(), 0, "{what}");
    }
    eprintln!(
        "{what}: {} requests, {} reloads, {:.0} requests/s, {:.1?}, {} pages, most resident {} KiB",
        report.requests,
        reloads(gateway),
        report.throughput(),
        report.elapsed,
        gateway.stat("wasmcustom.leaks.most_pages").unwrap(),
        most_resident(gateway),
    );
}

/// The most memory that Envoy has had, in KiB; 0 where the system does not say.
fn most_resident(gateway: &Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.pid().unwrap()));
    let status = status.unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    most.and_then(|most| most.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}

#[test]
fn memory_that_leaks_stays_below_the_limit_and_no_request_fails() {
    const REQUESTS: u64 = 100_000;
    if envoy().is_none() {
        return;
    }
    let origin = origin();
    let gateway = Gateway::start(leaks(&origin), 2).unwrap();
    // No VM ends in its first two seconds: in that time, 8 MiB are forgotten.
    let rate = NonZeroU32::new(8_000).unwrap();
    let load = load(HttpVersion::Http1, LEAK).connections(4);
    let report = load.open(gateway.listener(), rate, REQUESTS);
    check("a leak", &gateway, &report);
    assert_eq!(origin.requests(), REQUESTS);
    // As many as the memory that has leaked fills, but for what both VMs have at the end. The
    // allocator needs a few bytes for each block, and the VM a little for itself.
    let most = REQUESTS * (LEAK + 64) / (LIMIT - LATE);
    assert!((1..=most).contains(&reloads(&gateway)), "{} of {most}", reloads(&gateway));
    let pages = gateway.stat("wasmcustom.leaks.most_pages").unwrap();
    assert!(pages <= (LIMIT + LATE) / PAGE, "{pages}");
    // One that has ended may not have had another request since.
    let ended = ended(&gateway);
    assert!((ended.saturating_sub(2)..=ended).contains(&reloads(&gateway)), "{ended}");
}

#[test]
fn a_vm_is_made_anew_in_time_with_the_default_back_off_and_many_streams() {
    if envoy().is_none() {
        return;
    }
    let origin = origin();
    let backoff = "                reload_config:
                  backoff:
                    base_interval: 0.1s\n";
    let gateway = Gateway::start(leaks(&origin).replace(backoff, "").unwrap(), 2).unwrap();
    let rate = NonZeroU32::new(8_000).unwrap();
    let load = load(HttpVersion::Http2, 4 * LEAK).connections(2).streams(4);
    let report = load.open(gateway.listener(), rate, 40_000);
    check("HTTP/2", &gateway, &report);
    assert!(reloads(&gateway) > 0);
}

#[test]
fn the_example_forgets_its_tenants_and_no_request_fails() {
    if envoy().is_none() {
        return;
    }
    const CLUSTER: &str = "outbound|80||tenants.prod.svc.cluster.local";
    chunkwise_tests::module("rebuild");
    let script = format!(
        "[[cluster.'{CLUSTER}'.http]]
         match = {{ path = '/tenants/slow' }}
         latency = '300ms'
         json = {{ paths = ['/shop/'] }}
         [[cluster.'{CLUSTER}'.http]]
         json = {{ paths = ['/shop/'] }}"
    );
    let mut services = Services::new(&Upstreams::parse(&script, "tenants").unwrap());
    let tenants = services.serve(CLUSTER).unwrap();
    let origin = origin();
    let bootstrap = Bootstrap::of_example("rebuild").unwrap();
    let bootstrap = bootstrap.port(ports::UPSTREAM, origin.port()).unwrap();
    let gateway = Gateway::start(bootstrap.port(8081, tenants).unwrap(), 2).unwrap();
    // Clients that go away while their calls are under way: those end all the same.
    for _ in 0..8 {
        let mut gone = TcpStream::connect(gateway.listener()).unwrap();
        gone.write_all(b"GET /shop/1 HTTP/1.1\r\nhost: a\r\nx-tenant: slow\r\n\r\n").unwrap();
        thread::sleep(Duration::from_millis(20));
    }
    const REQUESTS: u64 = 100_000;
    let load = load(HttpVersion::Http1, 0).connections(2);
    let report = load.closed(gateway.listener(), REQUESTS);
    check("examples/rebuild", &gateway, &report);
    // After 20 000 requests of each worker, and two seconds at the least.
    assert!((1..=5).contains(&reloads(&gateway)), "{}", reloads(&gateway));
}

/// Waits for what comes for sure, and not for ever where it does not.
struct Patience(Instant);

impl Patience {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn wait(&self, milliseconds: u64, what: &str) {
        assert!(self.0.elapsed() < Duration::from_secs(60), "{what} in time");
        thread::sleep(Duration::from_millis(milliseconds));
    }
}

/// A connection, which stays with one worker.
struct Worker(BufReader<TcpStream>);

type Fields = BTreeMap<String, String>;

impl Worker {
    fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(BufReader::new(stream))
    }

    /// Asks, with one header more.
    fn ask(&mut self, header: &str) -> Fields {
        self.say(&request(header));
        self.answer()
    }

    fn say(&mut self, requests: &str) {
        self.0.get_mut().write_all(requests.as_bytes()).unwrap();
    }

    /// The next answer, which has no body.
    fn answer(&mut self) -> Fields {
        let mut lines = self.0.by_ref().lines().map(Result::unwrap);
        let status = lines.next().unwrap();
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        let fields = lines.take_while(|line| !line.is_empty());
        fields.map(|line| line.split_once(": ").map(owned).unwrap()).collect()
    }

    fn vm(&mut self) -> String {
        self.ask("x-leak: 0")["x-vm"].clone()
    }

    fn leads(&mut self) -> bool {
        self.ask("x-leak: 0")["x-leads"] == "1"
    }
}

fn request(header: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a\r\n{header}\r\n\r\n")
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A connection to each of the two workers.
fn workers(gateway: &Gateway) -> [Worker; 2] {
    let mut first = Worker::connect(gateway.listener());
    let of_first = first.vm();
    let patience = Patience::new();
    loop {
        let mut other = Worker::connect(gateway.listener());
        if other.vm() != of_first {
            return [first, other];
        }
        patience.wait(1, "no connection to the other worker");
    }
}

/// Waits until one leads, in whose turn nobody else does.
fn leader(workers: &mut [Worker; 2]) -> usize {
    let patience = Patience::new();
    loop {
        for at in 0..2 {
            if workers[at].leads() {
                let other = workers[1 - at].leads();
                // Unless leadership has just been handed over.
                assert!(!other || !workers[at].leads(), "two lead");
                if !other {
                    return at;
                }
            }
        }
        patience.wait(20, "nobody leads");
    }
}

#[test]
fn a_leader_that_is_made_anew_hands_over_and_what_is_shared_stays() {
    if envoy().is_none() {
        return;
    }
    let origin = origin();
    let gateway = Gateway::start(leaks(&origin), 2).unwrap();
    let mut workers = workers(&gateway);
    workers[0].ask("x-keep: this");
    // Once with requests that make the fresh VM at once, and once without: then the other worker
    // takes over. What has ended runs no timers.
    for is_busy in [true, false] {
        let before = leader(&mut workers);
        let ended = ended(&gateway);
        let (begin, patience) = (Instant::now(), Patience::new());
        while self::ended(&gateway) == ended {
            // Enough at once that a few requests do, and little enough that many cannot harm.
            workers[before].ask("x-leak: 4000000");
            patience.wait(200, "the VM does not end");
        }
        let made = begin.elapsed();
        let begin = Instant::now();
        let after = match is_busy {
            true => leader(&mut workers),
            false => {
                let other = 1 - before;
                while !workers[other].leads() {
                    patience.wait(20, "nobody leads");
                }
                assert_eq!(leader(&mut workers), other);
                other
            }
        };
        eprintln!(
            "worker {before} led, its VM ended after {made:.1?}; {:.1?} later worker {after} leads",
            begin.elapsed()
        );
        for worker in &mut workers {
            assert_eq!(worker.ask("x-leak: 0")["x-kept"], "this");
        }
    }
    assert_eq!(reloads(&gateway), 2);
}

#[test]
fn requests_that_arrive_together_find_a_vm_each() {
    const TOGETHER: usize = 32;
    if envoy().is_none() {
        return;
    }
    let origin = origin();
    let gateway = Gateway::start(leaks(&origin), 1).unwrap();
    let mut worker = Worker::connect(gateway.listener());
    let burst = request("x-leak: 16384").repeat(TOGETHER);
    let mut within = 0;
    let patience = Patience::new();
    while ended(&gateway) < 3 {
        // All of them are read at once, and each is begun where the one before it has ended.
        worker.say(&burst);
        let vms: BTreeSet<_> = (0..TOGETHER).map(|_| worker.answer()["x-vm"].clone()).collect();
        within += usize::from(vms.len() > 1);
        patience.wait(20, "no VM ends");
    }
    eprintln!("{} VMs made anew, {within} in the middle of a burst", reloads(&gateway));
    assert!(within > 0);
}
