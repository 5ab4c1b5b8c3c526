//! What tenants may do, as far as it is known here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::rc::Rc;

use chunkwise::call::Call;
use chunkwise::{Error, Result};
use serde::Deserialize;

/// What a tenant may call; nothing, for a tenant that nobody knows.
#[derive(Debug, Default, Deserialize)]
pub struct Policy {
    /// How the allowed paths begin.
    paths: Vec<Box<str>>,
}

/// The policies that were fetched.
#[derive(Debug)]
pub struct Policies {
    known: RefCell<HashMap<String, Rc<Policy>>>,
    most: usize,
}

/// Bytes of the longest policy that is read.
const LONGEST: usize = 64 * 1024;

/// The name of a tenant, which has to be one that needs no escapes in a path.
pub fn name(header: &[u8]) -> Option<&str> {
    const LONGEST: usize = 64;
    let name = str::from_utf8(header).ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((1..=LONGEST).contains(&name.len()) && name.bytes().all(is_plain)).then_some(name)
}

/// The policy of a tenant, as its service says.
pub async fn fetch(call: Call) -> Result<Policy> {
    let reply = call.await?;
    match reply.status() {
        200 if reply.body().len() <= LONGEST => reply.json(),
        200 => Err(Error::Plugin("the tenants' service sent a policy of more than 64 KiB")),
        404 => Ok(Policy::default()),
        504 => Err(Error::Plugin("the tenants' service did not answer in time")),
        _ => Err(Error::Plugin("the tenants' service answered neither 200 nor 404")),
    }
}

impl Policy {
    /// Whether a request for this path may pass.
    pub fn allows(&self, path: &[u8]) -> bool {
        self.paths.iter().any(|allowed| path.starts_with(allowed.as_bytes()))
    }
}

impl Policies {
    /// Room for so many.
    pub fn new(most: NonZeroU32) -> Self {
        Self { known: RefCell::default(), most: most.get() as usize }
    }

    /// The policy of a tenant, if it is known.
    pub fn get(&self, tenant: &str) -> Option<Rc<Policy>> {
        self.known.borrow().get(tenant).cloned()
    }

    /// Keeps a policy. What is full begins anew: whoever makes up names of tenants costs a call
    /// each, and no memory.
    pub fn keep(&self, tenant: String, policy: Policy) {
        let mut known = self.known.borrow_mut();
        if known.len() >= self.most {
            known.clear();
        }
        known.insert(tenant, Rc::new(policy));
    }

    /// Forgets all, so that they are fetched anew.
    pub fn forget(&self) {
        self.known.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_need_no_escapes() {
        for plain in ["a", "Tenant-7", "a_b", &"x".repeat(64)] {
            assert_eq!(name(plain.as_bytes()), Some(plain));
        }
        for other in ["", "a/b", "..", "a b", "a?b", "a%2f", "ä", &"x".repeat(65)] {
            assert_eq!(name(other.as_bytes()), None, "{other}");
        }
        assert_eq!(name(b"\xff"), None);
    }

    #[test]
    fn what_is_full_begins_anew() {
        let policies = Policies::new(NonZeroU32::new(2).unwrap());
        for tenant in ["a", "b", "c"] {
            policies.keep(tenant.to_owned(), Policy::default());
            assert!(policies.get(tenant).is_some());
        }
        assert!(policies.get("a").is_none() && policies.get("b").is_none());
        policies.forget();
        assert!(policies.get("c").is_none());
    }

    #[test]
    fn paths_are_allowed_by_their_beginning() {
        let policy = Policy { paths: ["/a/".into(), "/b".into()].into() };
        for (path, allowed) in [("/a/x", true), ("/b?x", true), ("/a", false), ("", false)] {
            assert_eq!(policy.allows(path.as_bytes()), allowed, "{path}");
        }
        assert!(!Policy::default().allows(b"/"));
    }
}
