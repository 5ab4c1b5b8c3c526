//! What becomes of a stream that goes wrong, as client and access log have it.

use crate::asking::{Client, Got};
use crate::plugins::Subject;
use crate::server::Fault;
use crate::storm::{Case, Went};

/// What the configuration of `fallback` answers in the upstream's place.
const FALLBACK: &str = "I cannot answer now.";

/// What `moderate` puts in the place of what nobody has judged.
const WITHHELD: &str = "The rest of this answer was withheld.";

/// What is wrong with it, in words; `None` where it went as it should.
pub fn check(went: &Went, subjects: &[Subject]) -> Option<String> {
    let subject = subjects.iter().find(|subject| subject.plugin.name == went.case.plugin)?;
    let ways = match went.case.client {
        Client::Stays | Client::SendsHalf => stayed(&went.case, subject),
        Client::LeavesSending | Client::LeavesWaiting | Client::LeavesReading => {
            left(&went.case, subject)
        }
    };
    let fits = ways.iter().any(|way| way.fits(went));
    (!fits).then(|| format!("{went:?}\n    is none of {ways:?}"))
}

/// One way that is right.
#[derive(Debug)]
struct Right {
    /// As the client has it, or none.
    status: Option<u16>,
    body: Body,
    ended: bool,
    details: String,
    flags: &'static str,
}

#[derive(Debug)]
enum Body {
    Is(String),
    Has(&'static str),
    /// As much as there was of it.
    Begins(String),
    Any,
}

impl Right {
    fn whole(status: u16, body: Body, details: &str) -> Self {
        let details = details.to_owned();
        Self { status: Some(status), body, ended: true, details, flags: "-" }
    }

    fn fits(&self, went: &Went) -> bool {
        let Got { status, body, ended } = &went.got;
        let body = match &self.body {
            Body::Is(all) => body == all,
            Body::Has(part) => body.contains(part),
            Body::Begins(all) => all.starts_with(&**body),
            Body::Any => true,
        };
        let (details, flags) = (&went.line["details"], &went.line["flags"]);
        let code = &went.line["code"];
        // Headers may be on their way when a client leaves.
        let code = self.status.is_none_or(|status| *code == status);
        // The bench host has no flags.
        let flags = flags.is_null() || *flags == self.flags;
        let log = code && *details == *self.details && flags;
        log && *status == self.status && body && *ended == self.ended
    }
}

/// The client waits for all that comes.
fn stayed(case: &Case, subject: &Subject) -> Vec<Right> {
    let text = || match case.service {
        "slow" if case.plugin == "moderate" => subject.answer("slow").text(),
        _ => subject.makes.clone(),
    };
    match (&*case.plugin, case.service) {
        ("ext-auth", "broken") => {
            return vec![Right::whole(503, Body::Is(String::new()), "ext_auth_unavailable")];
        }
        ("ext-auth", "stranger") => {
            return vec![Right::whole(401, Body::Has("who are you?"), "ext_auth_denied")];
        }
        ("moderate", "broken") => {
            return vec![Right::whole(200, Body::Has(WITHHELD), "via_upstream")];
        }
        _ => {}
    }
    let falls_back = case.plugin == "fallback";
    // How the upstream's end of the connection shows.
    let (cut, cut_flag) = match case.http2 {
        false => ("connection_termination", "UC"),
        true => ("remote_reset", "UR"),
    };
    match case.fault {
        Fault::None | Fault::Early | Fault::Hints | Fault::Slow | Fault::Drips => {
            vec![Right::whole(200, Body::Is(text()), "via_upstream")]
        }
        Fault::Refuses if falls_back => vec![Right::whole(200, Body::Has(FALLBACK), "fallback")],
        Fault::Refuses => vec![Right::whole(413, Body::Is("too long".to_owned()), "via_upstream")],
        Fault::CutsRequest | Fault::Silent | Fault::Garbage => {
            let (status, cut, flags) = match case.fault {
                Fault::Garbage => (502, "protocol_error", "UPE"),
                _ => (503, cut, cut_flag),
            };
            if falls_back {
                return vec![Right { flags, ..Right::whole(200, Body::Has(FALLBACK), "fallback") }];
            }
            let details = format!("upstream_reset_before_response_started{{{cut}}}");
            vec![Right {
                flags,
                ..Right::whole(status, Body::Has("upstream connect error"), &details)
            }]
        }
        Fault::CutsBoth | Fault::CutsResponse => {
            // A chunked body that ends in its middle is an error of the protocol.
            let (status, cut, flags) = match case.http2 {
                false => (502, "protocol_error", "UPE"),
                true => (503, cut, cut_flag),
            };
            let details = format!("upstream_reset_after_response_started{{{cut}}}");
            if falls_back {
                // The plugin has the headers in its hands: Envoy answers past it.
                let right = Right::whole(status, Body::Has("upstream connect error"), &details);
                return vec![Right { flags, ..right }];
            }
            let right = Right::whole(200, Body::Begins(text()), &details);
            vec![Right { ended: false, flags, ..right }]
        }
    }
}

/// The client goes away.
fn left(case: &Case, subject: &Subject) -> Vec<Right> {
    let gone = [("downstream_remote_disconnect", "DC"), ("http2.remote_reset", "DR")];
    let gone = gone.into_iter().take(if case.http2 { 2 } else { 1 });
    let statuses: &[_] = match case.client {
        Client::LeavesReading => &[Some(200)],
        // Its headers went on when the service was asked about its beginning.
        Client::LeavesWaiting if case.plugin == "moderate" => &[None, Some(200)],
        _ => &[None],
    };
    let mut ways = Vec::new();
    for (details, flags) in gone {
        for status in statuses {
            let details = details.to_owned();
            let body = Body::Begins(subject.answer(case.service).text());
            let body =
                if case.plugin == "replace" { Body::Begins(subject.makes.clone()) } else { body };
            ways.push(Right { status: *status, body, ended: false, details, flags });
        }
    }
    // What comes in one frame is whole when its reader leaves.
    let at_once = case.plugin == "fallback" || case.service == "slow";
    if at_once && case.client == Client::LeavesReading {
        ways.push(Right { ended: false, ..Right::whole(200, Body::Any, "via_upstream") });
    }
    ways
}
