//! The plugin: the crate's traits, with the rules behind them.

use std::rc::Rc;

use log::error;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

use crate::rules::{Rules, Settings};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { config: None }));
}}

struct Root {
    config: Option<Rc<Config>>,
}

struct Config {
    rules: Rules,
    request: bool,
    response: bool,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let json = self.get_plugin_configuration().unwrap_or_default();
        let settings: Settings = match serde_json::from_slice(&json) {
            Ok(settings) => settings,
            Err(error) => {
                error!("configuration: {error}");
                return false;
            }
        };
        let Some(rules) = Rules::new(settings.rules) else {
            error!("configuration: `find` must not be empty");
            return false;
        };
        let Settings { request, response, .. } = settings;
        self.config = Some(Rc::new(Config { rules, request, response }));
        true
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { config: Rc::clone(self.config.as_ref()?) }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Stream {
    config: Rc<Config>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        if self.config.request && !end_of_stream && self.config.rules.change_length() {
            self.set_http_request_header("content-length", None);
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, body_size: usize, _end_of_stream: bool) -> Action {
        if self.config.request
            && let Some(body) = self.get_http_request_body(0, body_size)
            && let Some(changed) = self.config.rules.apply(&body)
        {
            self.set_http_request_body(0, body_size, &changed);
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        if self.config.response && !end_of_stream && self.config.rules.change_length() {
            self.set_http_response_header("content-length", None);
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, body_size: usize, _end_of_stream: bool) -> Action {
        if self.config.response
            && let Some(body) = self.get_http_response_body(0, body_size)
            && let Some(changed) = self.config.rules.apply(&body)
        {
            self.set_http_response_body(0, body_size, &changed);
        }
        Action::Continue
    }
}
