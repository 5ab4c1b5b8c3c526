//! A cluster that calls are made to.

use std::rc::Rc;
use std::time::Duration;

use super::cluster::Cluster;
use super::request::Request;

/// What a call waits for at most when nothing is said about it.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Makes requests for one cluster. Kept in the plugin, made once when it is configured.
///
/// # Cost
/// One allocation when it is made; a clone is one count.
#[derive(Clone, Debug)]
pub struct Client {
    cluster: Rc<Cluster>,
    timeout: Duration,
}

/// A method of [`Client`] for each method of HTTP.
macro_rules! methods {
    ($($(#[$docs:meta])* $name:ident $method:literal),* $(,)?) => {
        $(
            $(#[$docs])*
            /// See [`request`](Self::request).
            pub fn $name(&self, url: &str) -> Request {
                self.request($method, url)
            }
        )*
    };
}

impl Client {
    /// A client of a cluster. [`Cluster::check`] says whether calls to it can be made at all.
    pub fn new(cluster: impl Into<Cluster>) -> Self {
        Self { cluster: Rc::new(cluster.into()), timeout: TIMEOUT }
    }

    /// Sets what its requests wait for at most, unless they say otherwise; 500 ms at first.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The cluster that it calls. Free.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A request that can be given headers and a body, and then be sent.
    ///
    /// The URL is `/path?query`, or begins with `http://` or `https://` and a host; that host is
    /// then named to the service, and the call goes to the client's cluster all the same. A path
    /// without a slash in front is given one. Escapes and query stay as they are, and a `#fragment`
    /// is dropped.
    ///
    /// # Cost
    /// No host call. No allocation once a call of that size has been made before.
    ///
    /// # Errors
    /// What is wrong with the request is told when it is sent.
    pub fn request(&self, method: &str, url: &str) -> Request {
        Request::new(self.clone(), method, url)
    }

    methods! {
        /// A `GET` request.
        get "GET",
        /// A `HEAD` request.
        head "HEAD",
        /// An `OPTIONS` request.
        options "OPTIONS",
        /// A `POST` request.
        post "POST",
        /// A `PUT` request.
        put "PUT",
        /// A `PATCH` request.
        patch "PATCH",
        /// A `DELETE` request.
        delete "DELETE",
        /// A `CONNECT` request.
        connect "CONNECT",
        /// A `TRACE` request.
        trace "TRACE",
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }
}
