//! Replaces texts in response bodies, on the crate `proxy-wasm`.

mod rules;

use std::error::Error;
use std::rc::Rc;

use log::{debug, error};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { rules: None }));
}}

struct Root {
    rules: Option<Rc<rules::Rules>>,
}

impl Root {
    fn configure(&mut self) -> Result<(), Box<dyn Error>> {
        let json = self.get_plugin_configuration().unwrap_or_default();
        let rules: Vec<(String, String)> = serde_json::from_slice(&json)?;
        self.rules = Some(Rc::new(rules::Rules::new(rules)?));
        Ok(())
    }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.configure().inspect_err(|error| error!("configuration refused: {error}")).is_ok()
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let rules = Rc::clone(self.rules.as_ref()?);
        Some(Box::new(Stream { rules }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Stream {
    rules: Rc<rules::Rules>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_response_headers(&mut self, num_headers: usize, end_of_stream: bool) -> Action {
        debug!("response: {num_headers} headers, last: {end_of_stream}");
        self.set_http_response_header("content-length", None);
        Action::Continue
    }

    fn on_http_response_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        debug!("response: {body_size} bytes, last: {end_of_stream}");
        if let Some(body) = self.get_http_response_body(0, body_size)
            && let Some(changed) = self.rules.apply(&body)
        {
            self.set_http_response_body(0, body_size, &changed);
        }
        Action::Continue
    }
}
