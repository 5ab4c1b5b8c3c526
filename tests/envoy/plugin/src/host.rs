//! What the interpreter wants of a host.

/// The calls to the host; each gives its status.
pub trait Host {
    /// A header's value.
    fn get_header(&mut self, map: u32, name: &str) -> (u32, Vec<u8>);
    /// All headers, in the wire format.
    fn pairs(&mut self, map: u32) -> (u32, Vec<u8>);
    /// Adds a header.
    fn add(&mut self, map: u32, name: &str, value: &str) -> u32;
    /// Replaces a header.
    fn set(&mut self, map: u32, name: &str, value: &str) -> u32;
    /// Removes a header.
    fn remove(&mut self, map: u32, name: &str) -> u32;
    /// Reads a buffer.
    fn buffer(&mut self, kind: u32, start: u32, length: u32) -> (u32, Vec<u8>);
    /// Changes a buffer.
    fn put(&mut self, kind: u32, start: u32, length: u32, data: &str) -> u32;
    /// Sends a local reply.
    fn reply(&mut self, status: u32, details: &str, body: &str, headers: &[(&str, &str)]) -> u32;
    /// Resumes a stream.
    fn resume(&mut self, kind: u32) -> u32;
    /// Closes a stream.
    fn close(&mut self, kind: u32) -> u32;
    /// Makes an HTTP call; its token too.
    fn call(&mut self) -> (u32, u32);
    /// Has the plugin told of a tick after so many milliseconds, again and again; 0 ends that.
    fn tick(&mut self, period: u32) -> u32;
    /// Reads a property.
    fn property(&mut self, path: &str) -> (u32, Vec<u8>);
    /// Sets a property.
    fn set_property(&mut self, path: &str, value: &str) -> u32;
    /// Calls a foreign function without arguments.
    fn foreign(&mut self, name: &str) -> u32;
    /// Acts on another context.
    fn act_on(&mut self, context: u32) -> u32;
    /// Logs a line.
    fn log(&mut self, line: &str);
}
