//! Refuses uploads with a signature, on the crate `proxy-wasm`: it waits for the end of a body and
//! takes the whole of it, which is the way that the crate has. What `examples/upload-scan` does in
//! one window of memory is measured against it.

#![cfg(target_arch = "wasm32")]

use memchr::memmem;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

const SIGNATURE: &[u8] = b"#!/bin/sh";

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Stream;

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        if !end_of_stream {
            return Action::Pause;
        }
        let body = self.get_http_request_body(0, body_size).unwrap_or_default();
        if memmem::find(&body, SIGNATURE).is_some() {
            self.send_http_response(422, Vec::new(), None);
            return Action::Pause;
        }
        Action::Continue
    }
}
