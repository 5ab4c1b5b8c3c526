//! The upstream's end of a gRPC stream.

use std::{sync::Arc, time::Duration};

use super::{
    GrpcEvent, GrpcStep,
    grpc::failure,
    grpc_rule::{GrpcScript, When},
};

/// The upstream's end of an open gRPC stream: it reacts to what the plugin sends.
///
/// # Cost
///
/// Holds the rule by reference count and two counters; each message sent costs the steps that
/// answer it.
#[derive(Clone, Debug)]
pub struct GrpcStream {
    script: Arc<GrpcScript>,
    latency: Duration,
    sent: u64,
    half_closed: bool,
    closed: bool,
}

impl GrpcStream {
    /// Opens a stream; answers what the plugin hears of that.
    pub(super) fn open(script: Arc<GrpcScript>, latency: Duration) -> (Vec<GrpcStep>, Self) {
        let mut stream = Self { script, latency, sent: 0, half_closed: false, closed: false };
        let mut steps = Vec::new();
        match stream.script.fail {
            Some(fail) => {
                let what = failure(fail);
                stream.closed = what.is_some();
                steps.extend(what.map(|what| GrpcStep { after: latency, what }));
            }
            None => {
                let what = GrpcEvent::InitialMetadata(stream.script.initial_metadata.clone());
                steps.push(GrpcStep { after: latency, what });
                stream.react(When::Open, &mut steps);
            }
        }
        (steps, stream)
    }

    /// Takes a message from the plugin; answers what that causes, counted from now.
    ///
    /// `end_of_stream` says that the plugin sends nothing more. After the steps have closed the
    /// stream there are no further ones.
    pub fn sent(&mut self, end_of_stream: bool) -> Vec<GrpcStep> {
        if self.half_closed {
            return Vec::new();
        }
        self.sent = self.sent.saturating_add(1);
        let mut steps = Vec::new();
        self.react(When::Nth(self.sent), &mut steps);
        if end_of_stream {
            self.end(&mut steps);
        }
        steps
    }

    /// Takes the end of what the plugin sends, without a message.
    pub fn ended(&mut self) -> Vec<GrpcStep> {
        let mut steps = Vec::new();
        self.end(&mut steps);
        steps
    }

    /// Whether the upstream has closed the stream.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn end(&mut self, steps: &mut Vec<GrpcStep>) {
        if !std::mem::replace(&mut self.half_closed, true) {
            self.react(When::End, steps);
        }
    }

    /// Adds what `now` causes; what one moment causes comes one after another.
    fn react(&mut self, now: When, steps: &mut Vec<GrpcStep>) {
        if self.closed || self.script.fail.is_some() {
            return;
        }
        let mut after = steps.last().map_or(Duration::ZERO, |step| step.after);
        // The latency of the rule delays what comes first, the others follow at once.
        let mut default = if steps.is_empty() { self.latency } else { Duration::ZERO };
        for message in &self.script.messages {
            if message.when.is(now) {
                after = after.saturating_add(message.latency.unwrap_or(default));
                default = Duration::ZERO;
                let what = GrpcEvent::Message(message.data.clone());
                steps.push(GrpcStep { after, what });
            }
        }
        if self.script.close.is_some_and(|when| when.is(now)) {
            let what = GrpcEvent::TrailingMetadata(self.script.trailing_metadata.clone());
            steps.push(GrpcStep { after, what });
            let what = GrpcEvent::Close {
                status: self.script.status,
                message: self.script.message.clone(),
            };
            steps.push(GrpcStep { after, what });
            self.closed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            GrpcCall, GrpcKind,
            grpc::tests::{outcome, short},
        },
        *,
    };

    fn open(rule: &str) -> (Vec<String>, GrpcStream) {
        let outcome = outcome(rule, &GrpcCall { kind: GrpcKind::Stream, ..GrpcCall::default() });
        (short(&outcome.steps), outcome.stream.unwrap())
    }

    #[test]
    fn a_stream_without_reactions_closes_itself() {
        let (steps, mut stream) = open(
            "latency = '2ms'\ninitial_metadata = { a = '1' }\nstatus = 5\nmessage = 'gone'\n\
             messages = ['x', { text = 'y', latency = '3ms' }]\ntrailing_metadata = { b = '2' }",
        );
        assert_eq!(
            steps,
            [
                "2 initial 3",
                "2 x",
                "5 y",
                "5 trailing grpc-status=5 grpc-message=gone b=2",
                "5 close 5 gone"
            ]
        );
        assert!(stream.is_closed());
        assert!(stream.sent(true).is_empty());
    }

    #[test]
    fn a_stream_reacts_to_what_is_sent() {
        let rule = "latency = '2ms'\nmessages = [{ text = 'each', when = 'each' }, \
                    { text = 'second', when = 2, latency = '5ms' }, \
                    { text = 'end', when = 'end' }, { text = 'more', when = 'end' }]";
        let (steps, mut stream) = open(rule);
        assert_eq!(steps, ["2 initial 2"]);
        assert_eq!(short(&stream.sent(false)), ["2 each"]);
        assert_eq!(short(&stream.sent(false)), ["2 each", "7 second"]);
        assert!(!stream.is_closed());
        let end = ["2 end", "2 more", "2 trailing grpc-status=0", "2 close 0 "];
        assert_eq!(short(&stream.clone().ended()), end);
        assert_eq!(short(&stream.sent(true))[..2], ["2 each", "2 end"]);
        assert!(stream.is_closed());
        assert!(stream.sent(false).is_empty() && stream.ended().is_empty());
    }

    #[test]
    fn a_stream_closes_when_it_is_told_or_never() {
        let (_, mut stream) = open("close = 2");
        assert!(stream.sent(false).is_empty());
        assert_eq!(short(&stream.sent(false)), ["0 trailing grpc-status=0", "0 close 0 "]);

        let (steps, mut stream) = open("close = 'never'");
        assert_eq!(steps, ["0 initial 2"]);
        assert!(stream.sent(true).is_empty() && !stream.is_closed());

        let (steps, stream) = open("fail = 'reset'\nlatency = '4ms'");
        assert_eq!((&steps[..], stream.is_closed()), (&["4 close 13 ".to_owned()][..], true));
        let (steps, mut stream) = open("fail = 'never'");
        assert!(steps.is_empty() && stream.sent(true).is_empty() && !stream.is_closed());
    }
}
