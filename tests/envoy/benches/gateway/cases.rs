//! The traffic, and which plugins it suits.

use std::time::Duration;

use bench_host::traffic::{Exchange, Traffic, TrafficError};
use serde_json::{Value, json};

use crate::plugins::LUA;
use envoy_tests::figures::{AGAIN, NONE};

/// The header by which the upstream knows the traffic, whatever a plugin does to the path.
pub const HEADER: &str = "x-traffic";

/// One kind of traffic.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    /// Between the chunks of an answer.
    pub pause: Duration,
    pub plugins: Vec<&'static str>,
    /// One exchange, for the bench host: a line of JSON.
    pub line: String,
    /// The same, for the load client.
    pub exchange: Exchange,
}

/// All cases.
pub fn cases() -> Result<Vec<Case>, TrafficError> {
    let text = words(16 * 1024);
    let chat = json!({
        "model": "gpt-4o",
        "messages": [
            {"role": "user", "content": words(15 * 1024)},
            {"role": "user", "content": "And in one sentence?"},
        ],
    });
    let completion = |text: &str| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text},
                "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 4000, "completion_tokens": 3500, "total_tokens": 7500},
        })
    };
    let mut events: Vec<_> = (0..99).map(event).collect();
    events.push("data: [DONE]\n\n".to_owned());
    Ok(vec![
        case(
            "small GETs",
            &["ext-auth", "leader", "per-domain", "quota", "rebuild", "rewrite", "ticks"],
            message(json!({"method": "GET", "path": "/api/v1/items/7"}), &[], None),
            &message(
                json!({}),
                &[("content-type", "application/json")],
                Some(json!("{\"id\": 7}")),
            ),
        )?,
        case(
            "16 KiB of text there and back",
            &["floor", "replace", "baseline", LUA, "upload-scan"],
            message(json!({"method": "POST", "path": "/echo"}), &TEXT, Some(json!(text))),
            &message(json!({}), &TEXT, Some(json!(text))),
        )?,
        case(
            "16 KiB of JSON there and back",
            &["model-router", "prompt-guard", "token-count"],
            message(
                json!({"method": "POST", "path": "/v1/chat/completions"}),
                &JSON,
                Some(json!(chat.to_string())),
            ),
            &message(json!({}), &JSON, Some(json!(completion(&words(15 * 1024)).to_string()))),
        )?,
        case(
            "a question",
            &["fallback"],
            message(
                json!({"method": "POST", "path": "/ask"}),
                &JSON,
                Some(json!("{\"question\": \"How tall is the tower?\"}")),
            ),
            &message(json!({}), &JSON, Some(json!(completion("Thirty metres.").to_string()))),
        )?,
        Case {
            pause: Duration::from_millis(1),
            ..case(
                "100 events a millisecond apart",
                &["floor", "replace", "baseline", LUA, "token-count", "moderate"],
                message(json!({"method": "GET", "path": "/events"}), &[], None),
                &message(json!({}), &[("content-type", "text/event-stream")], Some(json!(events))),
            )?
        },
    ])
}

const TEXT: [(&str, &str); 1] = [("content-type", "text/plain; charset=utf-8")];
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// What requests of browsers and of gateways' clients have, and what plugins ask for.
const USUAL: [(&str, &str); 9] = [
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("referer", "https://example.com/items?page=3"),
    ("authorization", "Bearer 3b5f1c2a9d8e47f0a1b2c3d4e5f60718"),
    ("cookie", "session=8a1f6c0e2b7d4935; theme=dark"),
    ("x-api-key", "a-client"),
    ("x-tenant", "a-tenant"),
    ("x-user", "ada"),
];

fn message(mut message: Value, headers: &[(&str, &str)], body: Option<Value>) -> Value {
    message["headers"] = json!(headers);
    if let Some(body) = body {
        message["body"] = body;
    }
    message
}

fn case(
    name: &'static str,
    plugins: &[&'static str],
    mut request: Value,
    response: &Value,
) -> Result<Case, TrafficError> {
    if let Some(headers) = request["headers"].as_array_mut() {
        headers.extend(USUAL.iter().map(|header| json!(header)));
        headers.push(json!([HEADER, name]));
    }
    let line = json!({"request": request, "response": response}).to_string();
    let traffic = Traffic::parse(name, line.clone().into_bytes())?;
    let exchange = traffic.exchanges().next().expect("the line is an exchange")?;
    let mut all = vec![NONE];
    all.extend(plugins);
    // Far from the other one in every round, however the order is turned.
    all.insert(all.len() / 2 + 1, AGAIN);
    Ok(Case { name, pause: Duration::ZERO, plugins: all, line, exchange })
}

/// Text with a link about every 4 KiB.
fn words(bytes: usize) -> String {
    let sentence = "Nothing is said here that a reader would want to keep for later. ";
    let mut text = String::new();
    while text.len() < bytes {
        if text.len() / 4096 != (text.len() + sentence.len()) / 4096 {
            text.push_str("See http://example.com/more. ");
        }
        text.push_str(sentence);
    }
    text.truncate(bytes);
    text
}

fn event(at: usize) -> String {
    let usage = match at {
        98 => json!({"prompt_tokens": 20, "completion_tokens": 98, "total_tokens": 118}),
        _ => Value::Null,
    };
    let text = match at {
        _ if at % 25 == 24 => " http://example.com/more.",
        _ if at % 10 == 9 => " done.",
        _ => " words",
    };
    let data = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-4o",
        "choices": [{"index": 0, "delta": {"content": text}}], "usage": usage,
    });
    format!("data: {data}\n\n")
}
