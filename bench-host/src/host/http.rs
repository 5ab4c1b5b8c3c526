//! The filter manager: how HTTP messages pass the one filter under test, as Envoy passes them.
//!
//! Statuses, their conversion and the order of deferred actions follow Envoy's
//! `filter_manager.cc` and its wasm filter's `context.cc` (1.36).

use std::mem;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::abi::{DataStatus, Direction, HeadersStatus};
use super::headers::HeaderMap;
use super::joined::joined;
use super::misuse::{LOST_BODY, LOST_FRAME};
use super::output::Received;
use super::proxy::{Proxy, Verdict};
use super::settings::Profile;
use super::stall::Stop;
use super::stream::{Half, Iteration, Stream};
use crate::engine::Callback;

impl Proxy {
    /// Opens a stream.
    pub fn open(
        &mut self,
        protocol: &'static str,
        upstream: Received,
        downstream: Received,
    ) -> u32 {
        let context = self.next_context();
        let root = self.current_root();
        let host = self.host();
        let mut stream = Stream::new(root, protocol, upstream, downstream);
        stream.moved = host.clock.now();
        stream.started = stream.moved;
        host.streams.insert(context, stream);
        self.tell(Callback::ContextCreate { context, parent: root });
        context
    }

    /// Delivers headers.
    pub fn headers(&mut self, context: u32, direction: Direction, headers: HeaderMap, end: bool) {
        let profile = self.host().settings.profile;
        let Some(stream) = self.stream(context) else { return };
        if stream.half(direction).aborted {
            return;
        }
        let from_upstream = direction == Direction::Response && !stream.replied_locally;
        if from_upstream && stream.details.is_empty() {
            stream.details = "via_upstream".to_owned();
        }
        if direction == Direction::Request && profile == Profile::Envoy {
            stream.client = forwarded_for(&headers);
        }
        stream.end_shown = end;
        let half = stream.half(direction);
        half.begun = true;
        half.headers_open = true;
        half.resumed_too_early = false;
        half.complete = end;
        let headers = headers.joining(joined(direction));
        let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        half.headers = headers;
        let callback = match direction {
            Direction::Request => Callback::RequestHeaders { context, count, end },
            Direction::Response => Callback::ResponseHeaders { context, count, end },
        };
        let Verdict::Answer(answer) = self.ask(context, callback) else { return };
        let stop_is_stop_all = self.host().settings.reads_stop_as_stop_all();
        let Some(half) = self.open_half(context, direction) else { return };
        let iteration = match HeadersStatus::from_guest(answer, stop_is_stop_all) {
            HeadersStatus::Continue => {
                half.headers_open = false;
                return half.release_headers(end);
            }
            HeadersStatus::Stop => Iteration::StopSingle,
            HeadersStatus::StopAllAndBuffer => Iteration::StopAll { watermark: false },
            HeadersStatus::StopAllAndWatermark => Iteration::StopAll { watermark: true },
        };
        let converted = answer == 1 && stop_is_stop_all;
        half.stop(iteration, Stop { converted, last: end, ..Stop::of(callback, answer) });
    }

    /// Delivers a body frame.
    pub fn data(&mut self, context: u32, direction: Direction, frame: Bytes, end: bool) {
        let limit = self.buffer_limit(context);
        let profile = self.host().settings.profile;
        let Some(half) = self.open_half(context, direction) else { return };
        half.complete = end;
        half.arrived = half.arrived.saturating_add(frame.len() as u64);
        let stop_all = match half.iteration {
            Iteration::StopAll { watermark } => Some(watermark),
            Iteration::Running | Iteration::StopSingle => None,
        };
        half.buffering |= mem::take(&mut half.still_buffering);
        if stop_all.is_none() && !half.buffering {
            half.frame.push(frame);
            return self.deliver(context, direction, end);
        }
        half.held.push(frame);
        half.frame_waits |= stop_all.is_some();
        if half.held.len() > limit && stop_all != Some(true) {
            let shows = profile == Profile::Envoy && direction == Direction::Request;
            if shows && stop_all.is_none() {
                self.show_too_much(context, end);
            } else {
                self.too_large(context, direction);
            }
        } else if stop_all.is_none() {
            self.deliver(context, direction, end);
        }
    }

    /// Delivers trailers, which end the message.
    pub fn trailers(&mut self, context: u32, direction: Direction, trailers: HeaderMap) {
        let Some(half) = self.open_half(context, direction) else { return };
        half.complete = true;
        half.trailers = Some(trailers);
        if let Iteration::StopAll { .. } = half.iteration {
            return;
        }
        self.deliver_trailers(context, direction);
    }

    /// Ends a stream: access log, done, delete. Gives what was left of it.
    pub fn close(&mut self, context: u32) -> Option<Stream> {
        if let Some(stream) = self.stream(context) {
            stream.closing = true;
        }
        self.host().logging = true;
        self.tell(Callback::Log { context });
        self.host().logging = false;
        self.tell(Callback::Done { context });
        self.tell(Callback::Delete { context });
        let limit = self.buffer_limit(context);
        let host = self.host();
        let mut stream = host.streams.remove(&context)?;
        stream.limit = limit;
        host.quota.release(stream.charged);
        self.leave_root(stream.root);
        Some(stream)
    }

    /// Bytes that each direction of a stream may hold.
    pub fn buffer_limit(&mut self, context: u32) -> usize {
        let host = self.host();
        let stream = host.streams.get(&context);
        match stream.and_then(|stream| stream.buffer_limit) {
            Some(0) => return usize::MAX,
            Some(limit) => return limit as usize,
            None => {}
        }
        let http2 = stream.is_some_and(|stream| stream.protocol == "HTTP/2");
        match host.settings.buffer_limit {
            Some(limit) => limit,
            None => host.settings.profile.buffer_limit(http2),
        }
    }

    /// One direction of a stream, unless nothing of it goes on any more.
    pub(super) fn open_half(&mut self, context: u32, direction: Direction) -> Option<&mut Half> {
        let half = self.stream(context)?.half(direction);
        (!half.aborted).then_some(half)
    }

    /// Shows the filter the frame with which a request became too large. The proxy's answer to that
    /// waits until the filter returns, and a reply that the filter sends itself comes too late: only
    /// its details are kept.
    fn show_too_much(&mut self, context: u32, end: bool) {
        let Some(stream) = self.stream(context) else { return };
        stream.reply_waits = true;
        let half = &mut stream.request;
        // Nothing of it goes on, whatever the filter says.
        half.aborted = true;
        half.in_body = true;
        half.frame_open = true;
        let size = u32::try_from(half.held.len()).unwrap_or(u32::MAX);
        self.ask(context, Callback::RequestBody { context, size, end });
        let Some(stream) = self.stream(context) else { return };
        stream.reply_waits = false;
        stream.request.in_body = false;
        stream.request.frame_open = false;
        self.too_large(context, Direction::Request);
    }

    /// Shows the filter what `data` put in place, and acts on the answer.
    pub(super) fn deliver(&mut self, context: u32, direction: Direction, end: bool) {
        let limit = self.buffer_limit(context);
        let forwards = self.host().settings.forwards_added_data();
        if let Some(stream) = self.stream(context) {
            stream.end_shown = end;
        }
        let Some(half) = self.open_half(context, direction) else { return };
        half.in_body = true;
        half.frame_open = true;
        half.frame_kept = true;
        half.resumed_too_early = false;
        let had_trailers = half.trailers.is_some();
        let size = half.visible_body().map_or(0, |body| body.len());
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let callback = match direction {
            Direction::Request => Callback::RequestBody { context, size, end },
            Direction::Response => Callback::ResponseBody { context, size, end },
        };
        let verdict = self.ask(context, callback);
        let Some(half) = self.open_half(context, direction) else { return };
        half.in_body = false;
        half.frame_open = false;
        let Verdict::Answer(answer) = verdict else { return };
        // Trailers that the filter has added go behind the frame, with an iteration of their own.
        let added = half.trailers.take_if(|_| !had_trailers);
        half.complete &= added.is_none();
        half.still_buffering = false;
        let buffering = mem::take(&mut half.buffering);
        let stop = Stop { last: end, ..Stop::of(callback, answer) };
        half.frame_kept &= DataStatus::from_guest(answer) != DataStatus::Continue;
        match DataStatus::from_guest(answer) {
            DataStatus::Continue
                if buffering && half.iteration == Iteration::Running && !forwards =>
            {
                if half.lose_added() > 0 {
                    self.host().misused(LOST_FRAME);
                }
            }
            DataStatus::Continue => half.release_frame(),
            DataStatus::StopNoBuffer => {
                // What was held before stays held; only this frame is the plugin's to keep.
                let mut frame = mem::take(&mut half.frame);
                if half.from_current {
                    half.held.append(&mut frame);
                }
                half.stop(Iteration::StopSingle, stop);
            }
            status @ (DataStatus::StopAndBuffer | DataStatus::StopAndWatermark) => {
                let mut frame = mem::take(&mut half.frame);
                half.held.append(&mut frame);
                half.frame = frame;
                half.stop(Iteration::StopSingle, stop);
                half.buffering = status == DataStatus::StopAndBuffer;
                if half.buffering && half.held.len() > limit {
                    self.too_large(context, direction);
                }
            }
        }
        if let Some(trailers) = added {
            self.added_trailers(context, direction, trailers);
        }
    }

    /// What becomes of trailers that the filter has added with the last frame.
    fn added_trailers(&mut self, context: u32, direction: Direction, trailers: HeaderMap) {
        let Some(half) = self.open_half(context, direction) else { return };
        half.complete = true;
        half.trailers = Some(trailers);
        half.trailers_seen = true;
        let stopped = half.iteration != Iteration::Running;
        if stopped && direction == Direction::Response {
            // They wait for what is held.
        } else if half.from_current {
            // The iteration began at this filter, which so is told of its own trailers.
            self.deliver_trailers(context, direction);
        } else if stopped {
            // Without headers there is nothing that they could end, and they wait too.
            if half.headers_sent {
                half.release_added_trailers();
            }
        } else {
            half.release();
        }
    }

    pub(super) fn deliver_trailers(&mut self, context: u32, direction: Direction) {
        let Some(half) = self.open_half(context, direction) else { return };
        half.trailers_open = true;
        half.trailers_seen = true;
        half.resumed_too_early = false;
        let count = half.trailers.as_ref().map_or(0, HeaderMap::len);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let callback = match direction {
            Direction::Request => Callback::RequestTrailers { context, count },
            Direction::Response => Callback::ResponseTrailers { context, count },
        };
        let Verdict::Answer(answer) = self.ask(context, callback) else { return };
        let Some(half) = self.open_half(context, direction) else { return };
        half.trailers_open &= answer != 0;
        if answer != 0 {
            half.stop(Iteration::StopSingle, Stop::of(callback, answer));
        } else if half.from_current && half.iteration == Iteration::StopSingle {
            self.trailers_again(context, direction);
        } else {
            half.release();
        }
    }

    /// The filter had stopped everything, was resumed, stopped the body with its frame and let the
    /// trailers pass. The filter manager takes this filter for one that has had the end of the
    /// body: what it holds is lost, and the trailers begin at this filter again.
    fn trailers_again(&mut self, context: u32, direction: Direction) {
        let Some(half) = self.open_half(context, direction) else { return };
        let lost = mem::take(&mut half.held).len();
        half.iteration = Iteration::Running;
        half.buffering = false;
        if lost > 0 {
            self.host().misused(LOST_BODY);
        }
        self.deliver_trailers(context, direction);
    }
}

/// The last address of `x-forwarded-for`, without a port.
fn forwarded_for(headers: &HeaderMap) -> Option<SocketAddr> {
    let last = headers.iter().filter(|(name, _)| &name[..] == b"x-forwarded-for").last();
    let (_, value) = last?;
    let address = value.rsplit(|byte| *byte == b',').next()?;
    let address: IpAddr = str::from_utf8(address).ok()?.trim().parse().ok()?;
    Some(SocketAddr::new(address, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_address_is_the_client() {
        let client = |values: &[&str]| {
            let fields = values.iter().map(|value| (&b"x-forwarded-for"[..], value.as_bytes()));
            forwarded_for(&fields.collect()).map(|client| client.to_string())
        };
        assert_eq!(client(&["10.0.0.1, 10.0.0.2"]), Some("10.0.0.2:0".to_owned()));
        assert_eq!(client(&["10.0.0.1", "::1"]), Some("[::1]:0".to_owned()));
        for none in [&[][..], &[""], &["10.0.0.1,"], &["unknown"]] {
            assert_eq!(client(none), None, "{none:?}");
        }
    }
}
