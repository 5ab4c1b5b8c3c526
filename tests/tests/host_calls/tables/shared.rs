//! Shared data, queues and metrics.

use super::super::scenario::{Effect, Scenario, scenario};

pub fn table() -> Vec<Scenario> {
    [data(), queues(), metrics()].concat()
}

fn data() -> Vec<Scenario> {
    vec![
        scenario("shared data with and without compare-and-swap").on(
            "request_headers",
            "get_shared_data('k') -> NotFound kept kept
             set_shared_data('k', 'one', 77) -> Ok
             get_shared_data('k') -> Ok 'one' first
             get_shared_data('k') -> Ok _ cas
             set_shared_data('k', 'two', 0) -> Ok
             get_shared_data('k') -> Ok 'two' _
             set_shared_data('k', 'three', 999999) -> CasMismatch
             get_shared_data('k') -> Ok 'two' _
             set_shared_data('k', '', 0) -> Ok
             get_shared_data('k') -> Ok nil _
             set_shared_data('', 'no name', 0) -> Ok
             get_shared_data('') -> Ok 'no name' _
             get_shared_data(raw(-1, 1)) -> InvalidMemoryAccess kept kept
             set_shared_data(raw(-1, 1), 'v', 0) -> InvalidMemoryAccess
             set_shared_data('k', raw(-1, 1), 0) -> InvalidMemoryAccess
             get_shared_data('k') -> Ok nil _",
        ),
        scenario("the number that was read swaps once")
            .on("vm_start", "set_shared_data('k', 'one', 0) -> Ok")
            .on(
                "configure",
                // The number is the second thing handed over, in the second cell.
                "get_shared_data('k') -> Ok 'one' _
                 (i32.store (i32.const 1536) (i32.load (i32.const 80)))
                 (i32.store (i32.const 40) (call $proxy_set_shared_data (i32.const 4096)
                    (i32.const 1) (i32.const 4096) (i32.const 1) (i32.load (i32.const 1536))))
                 pthread_equal(0, 0) -> 1
                 get_shared_data('k') -> Ok 'k' _
                 set_shared_data('k', 'x', 1) -> CasMismatch",
            )
            .on("log", "get_shared_data('k') -> Ok 'k' _"),
    ]
}

fn queues() -> Vec<Scenario> {
    vec![
        scenario("a queue, first in, first out").on(
            "request_headers",
            "resolve_shared_queue('', 'q') -> NotFound _
             register_shared_queue('q') -> Ok q
             register_shared_queue('q') -> Ok again
             resolve_shared_queue('', 'q') -> Ok found
             resolve_shared_queue('other', 'q') -> NotFound _
             dequeue_shared_queue(q) -> Empty kept
             enqueue_shared_queue(found, 'one') -> Ok
             enqueue_shared_queue(again, 'two') -> Ok
             enqueue_shared_queue(q, '') -> Ok
             dequeue_shared_queue(q) -> Ok 'one'
             dequeue_shared_queue(q) -> Ok 'two'
             dequeue_shared_queue(q) -> Ok nil
             dequeue_shared_queue(q) -> Empty kept
             dequeue_shared_queue(9999) -> NotFound kept
             dequeue_shared_queue(0) -> NotFound kept
             enqueue_shared_queue(9999, 'x') -> NotFound
             enqueue_shared_queue(-1, 'x') -> NotFound
             enqueue_shared_queue(q, raw(-1, 1)) -> InvalidMemoryAccess
             dequeue_shared_queue(q) -> Empty kept
             register_shared_queue(raw(-1, 1)) -> InvalidMemoryAccess _
             resolve_shared_queue(raw(-1, 1), 'q') -> InvalidMemoryAccess _
             resolve_shared_queue('', raw(-1, 1)) -> InvalidMemoryAccess _",
        ),
        scenario("who registered a queue is told of each item")
            .on("vm_start", "register_shared_queue('q') -> Ok q")
            .on(
                "request_headers",
                "enqueue_shared_queue(q, 'one') -> Ok
                 enqueue_shared_queue(q, 'two') -> Ok",
            )
            .on("queue_ready@1", "dequeue_shared_queue(q) -> Ok 'one'")
            .on("queue_ready@2", "dequeue_shared_queue(q) -> Ok 'two'")
            .then(Effect::Times("queue_ready", 2))
            .then(Effect::Told("queue_ready", &[1, -1])),
    ]
}

fn metrics() -> Vec<Scenario> {
    vec![
        scenario("counters").on(
            "request_headers",
            "define_metric(0, 'c') -> Ok c
             get_metric(c) -> Ok 0
             increment_metric(c, 5) -> Ok
             increment_metric(c, 0) -> BadArgument
             increment_metric(c, -1) -> BadArgument
             get_metric(c) -> Ok 5
             record_metric(c, 2) -> Ok
             get_metric(c) -> Ok 7
             define_metric(0, 'c') -> Ok again
             get_metric(again) -> Ok 7",
        ),
        scenario("gauges").on(
            "configure",
            "define_metric(1, 'g') -> Ok g
             increment_metric(g, 5) -> Ok
             increment_metric(g, -2) -> Ok
             get_metric(g) -> Ok 3
             record_metric(g, 100) -> Ok
             get_metric(g) -> Ok 100",
        ),
        scenario("histograms").on(
            "vm_start",
            "define_metric(2, 'h') -> Ok h
             record_metric(h, 5) -> Ok
             increment_metric(h, 5) -> BadArgument
             get_metric(h) -> BadArgument kept",
        ),
        scenario("metrics that are none").on(
            "request_headers",
            "define_metric(3, 'x') -> BadArgument _
             define_metric(-1, 'x') -> BadArgument _
             define_metric(0, raw(-1, 1)) -> InvalidMemoryAccess _
             increment_metric(4000, 1) -> NotFound
             increment_metric(4001, 1) -> NotFound
             record_metric(4000, 1) -> NotFound
             record_metric(4001, 1) -> NotFound
             record_metric(4002, 1) -> NotFound
             get_metric(4000) -> NotFound kept
             get_metric(4001) -> NotFound kept",
        ),
    ]
}
