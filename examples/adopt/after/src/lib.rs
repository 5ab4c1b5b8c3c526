//! Replaces texts in response bodies, on the crate `proxy-wasm`.

chunkwise::interop!();

use std::error::Error;

use log::{debug, error};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { rules: None }));
}}

struct Root {
    rules: Option<chunkwise::interop::Replace>,
}

impl Root {
    fn configure(&mut self) -> Result<(), Box<dyn Error>> {
        let json = self.get_plugin_configuration().unwrap_or_default();
        let rules: Vec<(String, String)> = serde_json::from_slice(&json)?;
        self.rules = Some(chunkwise::interop::Replace::new(rules)?);
        Ok(())
    }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.configure().inspect_err(|error| error!("configuration refused: {error}")).is_ok()
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let rules = self.rules.as_ref()?.stream(Action::Continue, Action::Pause);
        Some(Box::new(Stream { rules }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Stream {
    rules: chunkwise::interop::ReplaceStream<Action>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_response_headers(&mut self, num_headers: usize, end_of_stream: bool) -> Action {
        debug!("response: {num_headers} headers, last: {end_of_stream}");
        self.rules.response_headers(end_of_stream)
    }

    fn on_http_response_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        debug!("response: {body_size} bytes, last: {end_of_stream}");
        self.rules.response_body(body_size, end_of_stream)
    }

    fn on_http_response_trailers(&mut self, _num_trailers: usize) -> Action {
        self.rules.response_trailers()
    }
}
