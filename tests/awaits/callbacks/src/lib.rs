//! What `waits` does, on the crate `proxy-wasm` as its examples make calls.

#![cfg(target_arch = "wasm32")]

use std::time::Duration;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

chunkwise::interop!();

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { left: 0 }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Stream {
    /// Calls that are still to be answered.
    left: u32,
}

impl Stream {
    fn call(&self) -> bool {
        let headers = vec![(":method", "GET"), (":path", "/check"), (":authority", "auth")];
        let timeout = Duration::from_millis(500);
        self.dispatch_http_call("auth", headers, None, vec![], timeout).is_ok()
    }

    fn refuse(&self, status: u32) {
        self.send_http_response(status, vec![], None);
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let calls = self.get_http_request_header("x-calls").unwrap_or_default();
        self.left = calls.parse().unwrap_or(0);
        if self.left == 0 {
            return Action::Continue;
        }
        if !self.call() {
            self.refuse(500);
        }
        Action::Pause
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _token: u32, _headers: usize, size: usize, _: usize) {
        if self.get_http_call_response_header(":status").as_deref() != Some("200") {
            return self.refuse(403);
        }
        let body = self.get_http_call_response_body(0, size).unwrap_or_default();
        self.left -= 1;
        if self.left == 0 {
            self.set_http_request_header_bytes("x-user", Some(&body));
            self.resume_http_request();
        } else if !self.call() {
            self.refuse(500);
        }
    }
}
