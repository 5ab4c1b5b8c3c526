//! The plugin that `tests/foreign/README.md` describes, on the crate `proxy-wasm` 0.2.

#![cfg(target_arch = "wasm32")]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use log::{error, info};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MapType, MetricType, Status};

const LANGUAGE: &str = "rust-0.2";

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { requests: Rc::new(0) }));
}}

struct Root {
    requests: Rc<u32>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        info!("configured with: {}", String::from_utf8_lossy(&configuration));
        self.requests =
            Rc::new(check(hostcalls::define_metric(MetricType::Counter, "foreign_requests")));
        true
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { requests: Rc::clone(&self.requests) }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Stream {
    requests: Rc<u32>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let probe = self.get_http_request_header("x-probe");
        let count = self.get_http_request_headers().len();
        info!("request: {count} headers, x-probe {}", probe.as_deref().unwrap_or("absent"));
        self.add_http_request_header("x-foreign", LANGUAGE);

        self.set_property(vec!["foreign_language"], Some(LANGUAGE.as_bytes()));
        let property = |path| String::from_utf8(self.get_property(path).unwrap_or_default());
        let path = property(vec!["request", "path"]).unwrap_or_default();
        info!("properties: {path}, {}", property(vec!["foreign_language"]).unwrap_or_default());

        let nanos = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let (host, own) = (nanos(self.get_current_time()), nanos(SystemTime::now()));
        info!("time: host {host}, own {own}");
        let random = || RandomState::new().hash_one(0);
        info!("random: {}, {}", random(), random());

        check(hostcalls::increment_metric(*self.requests, 1));
        info!("requests: {}", check(hostcalls::get_metric(*self.requests)));

        assert!(path != "/crash", "crashed on purpose");
        if path == "/deny" {
            let body = format!("denied by {LANGUAGE}");
            self.send_http_response(403, vec![("x-denied-by", LANGUAGE)], Some(body.as_bytes()));
            return Action::Pause;
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        if let Some(mut body) = self.get_http_request_body(0, size) {
            body.make_ascii_uppercase();
            self.set_http_request_body(0, size, &body);
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.set_http_response_header("content-length", None);
        self.add_http_response_header("x-foreign", LANGUAGE);
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if end_of_stream {
            self.set_http_response_body(size, 0, format!("|{LANGUAGE}").as_bytes());
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        let value = |map, name| hostcalls::get_map_value(map, name).ok().flatten();
        let path = value(MapType::HttpRequestHeaders, ":path").unwrap_or_default();
        let status = value(MapType::HttpResponseHeaders, ":status").unwrap_or_default();
        info!("done: {path} {status}");
    }
}

/// Logs every status that is not what the plugin counts on.
fn check<T: Default>(result: Result<T, Status>) -> T {
    result.unwrap_or_else(|status| {
        error!("status {status:?}");
        T::default()
    })
}
