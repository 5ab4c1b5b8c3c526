//! Host calls as a guest's text; each logs what the host answered.

use chunkwise_tests::guest::pairs;

/// The longest length that there is.
pub const MAX: &str = "(i32.const 0x7fffffff)";

/// An HTTP call to a path of a cluster. The host's answer is logged, then the token.
pub fn http_call(cluster: &str, path: &str, timeout: i32) -> String {
    let fields = [(":method", "GET"), (":path", path), (":authority", "auth")];
    http_call_with(cluster, &fields, timeout)
}

/// An HTTP call with these header fields and no body.
pub fn http_call_with(cluster: &str, fields: &[(&str, &str)], timeout: i32) -> String {
    let fields = pairs(fields);
    format!(
        "(call $status 'http_call' (call $proxy_http_call '{cluster}' {fields} '' ''
            (i32.const {timeout}) (i32.const 8)))
        (call $status 'token' (i32.load (i32.const 8)))"
    )
}

/// Acts on another context from here on.
pub fn effective(context: u32) -> String {
    format!("(call $status 'effective' (call $proxy_set_effective_context (i32.const {context})))")
}

/// Resumes a request (0) or a response (1).
pub fn resume(stream: u32) -> String {
    format!("(call $status 'continue' (call $proxy_continue_stream (i32.const {stream})))")
}

/// A local reply.
pub fn reply(status: u32, details: &str, body: &str) -> String {
    format!(
        "(call $status 'reply' (call $proxy_send_local_response (i32.const {status})
            '{details}' '{body}' '' (i32.const -1)))"
    )
}

/// Logs a buffer.
pub fn body(kind: u32) -> String {
    format!("(call $body (i32.const {kind}))")
}

/// Logs a header field.
pub fn header(map: u32, name: &str) -> String {
    format!("(call $header (i32.const {map}) '{name}')")
}

/// Puts a text in the place of a whole buffer.
pub fn set_body(kind: u32, text: &str) -> String {
    format!(
        "(call $status 'set' (call $proxy_set_buffer_bytes (i32.const {kind}) (i32.const 0) {MAX}
            '{text}'))"
    )
}

/// Adds to the end of a buffer.
pub fn append(kind: u32, text: &str) -> String {
    format!(
        "(call $status 'append' (call $proxy_set_buffer_bytes (i32.const {kind}) {MAX}
            (i32.const 0) '{text}'))"
    )
}

/// Sets a header field.
pub fn replace(map: u32, name: &str, value: &str) -> String {
    format!(
        "(call $status 'replace' (call $proxy_replace_header_map_value (i32.const {map})
            '{name}' '{value}'))"
    )
}

/// Adds a header field.
pub fn add(map: u32, name: &str, value: &str) -> String {
    format!(
        "(call $status 'add' (call $proxy_add_header_map_value (i32.const {map})
            '{name}' '{value}'))"
    )
}

/// Removes a header field.
pub fn remove(map: u32, name: &str) -> String {
    format!(
        "(call $status 'remove' (call $proxy_remove_header_map_value (i32.const {map}) '{name}'))"
    )
}

/// Sets a property.
pub fn property(path: &str, value: &str) -> String {
    format!("(call $status 'property' (call $proxy_set_property '{path}' '{value}'))")
}

/// Sends bytes of a response past the plugin itself.
pub fn inject(text: &str, end: bool) -> String {
    let end = u32::from(end);
    format!(
        "(call $status 'inject' (call $proxy_inject_encoded_data_to_filter_chain '{text}'
            (i32.const {end})))"
    )
}

/// Sets the period of the timer.
pub fn tick_period(milliseconds: u32) -> String {
    format!(
        "(call $status 'period'
            (call $proxy_set_tick_period_milliseconds (i32.const {milliseconds})))"
    )
}

/// Does something if a parameter or expression is not zero.
pub fn when(condition: &str, then: &str) -> String {
    format!("(if {condition} (then {then}))")
}

/// That a parameter has a value.
pub fn is(parameter: u32, value: u32) -> String {
    format!("(i32.eq (local.get {parameter}) (i32.const {value}))")
}

/// Does something, and then answers a number.
pub fn answering(then: &str, answer: u32) -> String {
    format!("{then} (i32.const {answer})")
}

/// Does one thing and answers with one number before the end of a body, and with others at it.
pub fn at_end(before: u32, then: &str, answer: u32) -> String {
    format!(
        "(if (result i32) (local.get 2)
            (then {then} (i32.const {answer})) (else (i32.const {before})))"
    )
}
