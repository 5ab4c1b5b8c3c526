//! What the services are asked, and what is made of their answers.

use std::cell::RefCell;
use std::rc::Rc;

use chunkwise::call::{Call, CallError, CallReply, Client};
use chunkwise::http::{HeldHeaders, Reply, RequestHeaders, Resume};
use chunkwise::{Result, time};

use crate::cache::Cache;

/// Who is asked, what about, and what is made of the answers.
#[derive(Debug)]
pub struct Auth {
    pub service: Service,
    pub also: Option<Service>,
    pub audit: Option<Service>,
    /// Request headers that the services get, lower case.
    pub forward: Vec<String>,
    /// Headers that the upstream gets from the services' answers, and from nobody else.
    pub copy: Vec<String>,
    pub fails_open: bool,
    pub cache: Option<RefCell<Cache<Identity>>>,
}

/// A service that is asked or told.
#[derive(Debug)]
pub struct Service {
    pub client: Client,
    pub path: String,
}

/// Headers that the services gave a request.
pub type Identity = Rc<[(String, Vec<u8>)]>;

/// What comes of an answer.
pub enum Verdict {
    Allowed,
    Denied,
    Failed,
}

/// Success allows, an error of the service says nothing, and everything else denies.
pub fn judge(answer: &Result<CallReply, CallError>) -> Verdict {
    match answer {
        Ok(reply) if reply.is_success() => Verdict::Allowed,
        Ok(reply) if reply.status() < 500 => Verdict::Denied,
        Ok(_) | Err(_) => Verdict::Failed,
    }
}

/// The service's own words, with the headers that ask for credentials or lead to a login.
pub fn refusal(denial: &CallReply) -> Reply<'_> {
    const PASSED: [&[u8]; 4] = [b"content-type", b"location", b"set-cookie", b"www-authenticate"];
    let reply = Reply::new(denial.status()).details("ext_auth_denied").body(denial.body());
    denial.headers().filter(|(name, _)| PASSED.contains(name)).fold(
        reply,
        |reply, (name, value)| {
            reply.header(String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        },
    )
}

impl Service {
    /// The call that asks about a request, not sent yet.
    pub fn asked(&self, seen: &[(&[u8], &[u8])]) -> Call {
        let request = self.client.get(&self.path);
        seen.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
    }
}

impl Auth {
    /// All lines of the forwarded headers, and what the request was for. One host call.
    pub fn what_services_see<'a>(
        &self,
        headers: &RequestHeaders<'a>,
    ) -> Result<Vec<(&'a [u8], &'a [u8])>> {
        let seen = headers.iter()?.filter_map(|(name, value)| match name {
            b":method" => Some((b"x-original-method".as_slice(), value)),
            b":authority" => Some((b"x-original-host".as_slice(), value)),
            b":path" => Some((b"x-original-uri".as_slice(), value)),
            _ => {
                let is_forwarded = self.forward.iter().any(|known| known.as_bytes() == name);
                is_forwarded.then_some((name, value))
            }
        });
        Ok(seen.collect())
    }

    /// The headers that answers give a request.
    pub fn identity<'a>(&self, replies: impl Iterator<Item = &'a CallReply>) -> Identity {
        let all = replies.flat_map(CallReply::headers).filter_map(|(name, value)| {
            let name = self.copy.iter().find(|copied| copied.as_bytes() == name)?;
            Some((name.clone(), value.to_vec()))
        });
        all.collect()
    }

    /// What an answer gave a request like this one before. One host call, if answers are remembered.
    pub fn remembered(&self, key: Option<&[u8]>) -> Result<Option<Identity>> {
        let (Some(cache), Some(key)) = (&self.cache, key) else { return Ok(None) };
        let now = time::now()?;
        Ok(cache.borrow().get(key, now).cloned())
    }

    /// Keeps what an answer gave a request. One host call, if answers are remembered.
    pub fn remember(&self, key: Option<Vec<u8>>, identity: &Identity) -> Result<()> {
        if let (Some(cache), Some(key)) = (&self.cache, key) {
            let now = time::now()?;
            cache.borrow_mut().insert(key, Rc::clone(identity), now);
        }
        Ok(())
    }

    /// Gives the upstream what the services said, and takes away what the client said of it.
    pub fn let_pass(
        &self,
        request: &HeldHeaders,
        identity: &[(String, Vec<u8>)],
    ) -> Result<Resume> {
        for name in &self.copy {
            let mut values = identity.iter().filter(|(known, _)| known == name);
            match values.next() {
                Some((_, value)) => request.set(name, value)?,
                None => request.remove(name)?,
            }
            values.try_for_each(|(_, value)| request.add(name, value))?;
        }
        Ok(Resume::Continue)
    }
}
