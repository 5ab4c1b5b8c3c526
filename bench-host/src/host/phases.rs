//! One callback at a time, past the filter manager.
//!
//! Some test formats call phase by phase: nothing is held, each body frame is seen alone, and what
//! a callback answers is compared instead of obeyed.

use bytes::Bytes;

use super::abi::Direction;
use super::{Buffer, HeaderMap, Measure, Proxy, Received};
use crate::engine::{Callback, Fault};

/// What a plugin passed to `proxy_send_local_response`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u32,
    /// gRPC status; -1, read without a sign, stands for none.
    pub grpc_status: u32,
    /// Details, as the plugin gave them.
    pub details: Bytes,
    /// Headers, as the plugin gave them.
    pub headers: Vec<(Bytes, Bytes)>,
    /// Body.
    pub body: Bytes,
}

/// What came of one callback.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// What it answered; 0, continue, where the plugin does not have it.
    pub answer: u32,
    /// The reply that it sent.
    pub reply: Option<Reply>,
    /// The headers as it left them; empty for a body.
    pub headers: HeaderMap,
    /// The frame as it left it; empty for headers.
    pub body: Vec<u8>,
}

impl Proxy {
    /// Shows a stream headers that do not end it, and takes them back.
    ///
    /// # Errors
    /// [`Fault`] when the plugin traps.
    pub fn step_headers(
        &mut self,
        context: u32,
        direction: Direction,
        headers: HeaderMap,
    ) -> Result<Step, Fault> {
        let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        if let Some(stream) = self.stream(context) {
            let half = stream.half(direction);
            half.begun = true;
            half.headers_open = true;
            half.headers = headers;
        }
        let end = false;
        let mut step = self.step(match direction {
            Direction::Request => Callback::RequestHeaders { context, count, end },
            Direction::Response => Callback::ResponseHeaders { context, count, end },
        })?;
        if let Some(stream) = self.stream(context) {
            let half = stream.half(direction);
            half.headers_open = false;
            step.headers = half.headers.clone();
        }
        Ok(step)
    }

    /// Shows a stream a body frame, and takes it back.
    ///
    /// # Errors
    /// [`Fault`] when the plugin traps.
    pub fn step_body(
        &mut self,
        context: u32,
        direction: Direction,
        frame: Bytes,
        end: bool,
    ) -> Result<Step, Fault> {
        let size = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        if let Some(stream) = self.stream(context) {
            let half = stream.half(direction);
            half.frame = Buffer::default();
            half.frame.push(frame);
            half.in_body = true;
            half.frame_open = true;
        }
        let mut step = self.step(match direction {
            Direction::Request => Callback::RequestBody { context, size, end },
            Direction::Response => Callback::ResponseBody { context, size, end },
        })?;
        if let Some(stream) = self.stream(context) {
            let half = stream.half(direction);
            half.in_body = false;
            half.frame_open = false;
            step.body = vec![0; half.frame.len()];
            half.frame.copy_to(0, &mut step.body);
            half.frame = Buffer::default();
        }
        Ok(step)
    }

    /// Opens a stream, and says whether the plugin failed with it.
    ///
    /// # Errors
    /// [`Fault`] when the plugin traps.
    pub fn step_open(&mut self) -> Result<u32, Fault> {
        let context = self.open("HTTP/1.1", Received::default(), Received::default());
        self.sound().map(|()| context)
    }

    /// Ends a stream, and says whether the plugin failed with it.
    ///
    /// # Errors
    /// [`Fault`] when the plugin traps.
    pub fn step_close(&mut self, context: u32) -> Result<(), Fault> {
        self.close(context);
        self.sound()
    }

    /// Ends the plugin itself: done and delete of its root contexts.
    ///
    /// # Errors
    /// [`Fault`] when the plugin traps.
    pub fn end_plugin(&mut self) -> Result<(), Fault> {
        self.shut_down();
        self.sound()
    }

    /// From here on, takes down this of each callback.
    pub fn set_measure(&mut self, measure: Measure) {
        self.measure = measure;
    }

    fn step(&mut self, callback: Callback) -> Result<Step, Fault> {
        self.host().last_reply = None;
        let answer = self.call(callback).unwrap_or(0);
        self.sound()?;
        let host = self.host();
        // What the callback put off is looked at, and not done.
        host.drop_actions();
        host.stopped = false;
        Ok(Step { answer, reply: host.last_reply.take(), ..Step::default() })
    }

    fn sound(&self) -> Result<(), Fault> {
        self.fault().map_or(Ok(()), |fault| Err(fault.clone()))
    }
}
