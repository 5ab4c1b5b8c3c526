//! Whole sequences of callbacks, host calls and their effects, as Envoy and Higress make them.
//!
//! What is expected is derived from Envoy's filter manager and wasm extension, from the proxy-wasm
//! C++ host and from Higress, not from what the bench host happens to do.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

mod access_log;
mod batches;
mod buffer_limit;
mod buffers;
mod callout;
mod callout_cleanup;
mod callout_held;
mod callout_outcomes;
mod close_stream;
mod config_update;
mod crash;
mod grpc;
mod header_life;
mod held_body;
mod held_requests;
mod local_reply;
mod queues;
mod rebuild;
mod rebuild_order;
mod redis;
mod route_call;
mod snippets;
mod stalled;
mod steps;
mod streaming;
mod tcp;
mod tcp_end;
mod tick;
mod upstream_hosts;
mod wishes;
