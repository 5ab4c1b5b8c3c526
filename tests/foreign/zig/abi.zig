//! The host's functions, and the little that the plugin needs on top of them.

const std = @import("std");

const host = struct {
    extern "env" fn proxy_log(level: u32, message: [*]const u8, size: usize) u32;
    extern "env" fn proxy_get_buffer_bytes(buffer: u32, start: usize, length: usize, at: *?[*]u8, size: *usize) u32;
    extern "env" fn proxy_set_buffer_bytes(buffer: u32, start: usize, length: usize, data: [*]const u8, size: usize) u32;
    extern "env" fn proxy_get_header_map_pairs(map: u32, at: *?[*]u8, size: *usize) u32;
    extern "env" fn proxy_get_header_map_value(map: u32, name: [*]const u8, name_size: usize, at: *?[*]u8, size: *usize) u32;
    extern "env" fn proxy_add_header_map_value(map: u32, name: [*]const u8, name_size: usize, value: [*]const u8, size: usize) u32;
    extern "env" fn proxy_remove_header_map_value(map: u32, name: [*]const u8, name_size: usize) u32;
    extern "env" fn proxy_get_property(path: [*]const u8, path_size: usize, at: *?[*]u8, size: *usize) u32;
    extern "env" fn proxy_set_property(path: [*]const u8, path_size: usize, value: [*]const u8, size: usize) u32;
    extern "env" fn proxy_send_local_response(status: u32, details: ?[*]const u8, details_size: usize, body: [*]const u8, body_size: usize, headers: [*]const u8, headers_size: usize, grpc_status: i32) u32;
    extern "env" fn proxy_get_current_time_nanoseconds(now: *u64) u32;
    extern "env" fn proxy_define_metric(kind: u32, name: [*]const u8, name_size: usize, id: *u32) u32;
    extern "env" fn proxy_increment_metric(id: u32, by: i64) u32;
    extern "env" fn proxy_get_metric(id: u32, value: *u64) u32;
};

pub const allocator = std.heap.wasm_allocator;

pub const Level = enum(u32) { info = 2, err = 4 };
pub const Buffer = enum(u32) { request_body = 0, response_body = 1, plugin_configuration = 7 };
pub const Map = enum(u32) { request_headers = 0, response_headers = 2 };

const not_found = 1;

pub fn log(level: Level, comptime format: []const u8, values: anytype) void {
    const message = std.fmt.allocPrint(allocator, format, values) catch @panic("out of memory");
    defer allocator.free(message);
    _ = host.proxy_log(@intFromEnum(level), message.ptr, message.len);
}

/// Logs every status that is not what the plugin counts on.
fn check(call: []const u8, status: u32) void {
    if (status != 0) log(.err, "{s}: status {d}", .{ call, status });
}

/// What the host has asked the plugin's allocator for, and is now the caller's to free.
fn taken(at: ?[*]u8, size: usize) []u8 {
    return if (at) |bytes| bytes[0..size] else &.{};
}

pub fn getBuffer(kind: Buffer, size: usize) []u8 {
    var at: ?[*]u8 = null;
    var length: usize = 0;
    check("proxy_get_buffer_bytes", host.proxy_get_buffer_bytes(@intFromEnum(kind), 0, size, &at, &length));
    return taken(at, length);
}

pub fn setBuffer(kind: Buffer, start: usize, length: usize, data: []const u8) void {
    check("proxy_set_buffer_bytes", host.proxy_set_buffer_bytes(@intFromEnum(kind), start, length, data.ptr, data.len));
}

pub fn header(map: Map, name: []const u8) ?[]u8 {
    var at: ?[*]u8 = null;
    var length: usize = 0;
    const status = host.proxy_get_header_map_value(@intFromEnum(map), name.ptr, name.len, &at, &length);
    if (status == not_found) return null;
    check("proxy_get_header_map_value", status);
    return taken(at, length);
}

pub fn addHeader(map: Map, name: []const u8, value: []const u8) void {
    check("proxy_add_header_map_value", host.proxy_add_header_map_value(@intFromEnum(map), name.ptr, name.len, value.ptr, value.len));
}

pub fn removeHeader(map: Map, name: []const u8) void {
    check("proxy_remove_header_map_value", host.proxy_remove_header_map_value(@intFromEnum(map), name.ptr, name.len));
}

/// Reads all pairs and returns how many there are; the host's count and ours must agree.
pub fn countHeaders(map: Map) usize {
    var at: ?[*]u8 = null;
    var length: usize = 0;
    check("proxy_get_header_map_pairs", host.proxy_get_header_map_pairs(@intFromEnum(map), &at, &length));
    const wire = taken(at, length);
    defer allocator.free(wire);
    if (wire.len == 0) return 0;
    const count = word(wire, 0);
    var end: usize = 4 + 8 * count;
    for (0..2 * count) |n| end += word(wire, 1 + n) + 1;
    if (end != wire.len) log(.err, "pairs of {d} bytes end at {d}", .{ wire.len, end });
    return count;
}

fn word(wire: []const u8, n: usize) usize {
    return std.mem.readInt(u32, wire[4 * n ..][0..4], .little);
}

pub fn property(path: []const u8) []u8 {
    var at: ?[*]u8 = null;
    var length: usize = 0;
    check("proxy_get_property", host.proxy_get_property(path.ptr, path.len, &at, &length));
    return taken(at, length);
}

pub fn setProperty(path: []const u8, value: []const u8) void {
    check("proxy_set_property", host.proxy_set_property(path.ptr, path.len, value.ptr, value.len));
}

/// Answers with one header, known at compile time like the body.
pub fn sendLocalResponse(status: u32, comptime name: []const u8, comptime value: []const u8, body: []const u8) void {
    const lengths = comptime [3]u32{ 1, name.len, value.len };
    const wire = comptime std.mem.sliceAsBytes(&lengths)[0..12].* ++ name ++ "\x00" ++ value ++ "\x00";
    check("proxy_send_local_response", host.proxy_send_local_response(status, null, 0, body.ptr, body.len, wire, wire.len, -1));
}

pub fn hostTime() u64 {
    var now: u64 = 0;
    check("proxy_get_current_time_nanoseconds", host.proxy_get_current_time_nanoseconds(&now));
    return now;
}

pub fn defineCounter(name: []const u8) u32 {
    var id: u32 = 0;
    check("proxy_define_metric", host.proxy_define_metric(0, name.ptr, name.len, &id));
    return id;
}

pub fn increment(id: u32) u64 {
    var value: u64 = 0;
    check("proxy_increment_metric", host.proxy_increment_metric(id, 1));
    check("proxy_get_metric", host.proxy_get_metric(id, &value));
    return value;
}
