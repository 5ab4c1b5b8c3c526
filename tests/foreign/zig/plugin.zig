//! The plugin that tests/foreign/README.md describes, in Zig without any SDK.

const std = @import("std");
const abi = @import("abi.zig");
const wasi = std.os.wasi;

const language = "zig";

var requests: u32 = 0;

export fn proxy_abi_version_0_2_1() void {}

export fn proxy_on_memory_allocate(size: usize) ?[*]u8 {
    const bytes = abi.allocator.alloc(u8, size) catch return null;
    return bytes.ptr;
}

export fn proxy_on_configure(_: u32, size: usize) u32 {
    const configuration = abi.getBuffer(.plugin_configuration, size);
    defer abi.allocator.free(configuration);
    abi.log(.info, "configured with: {s}", .{configuration});
    requests = abi.defineCounter("foreign_requests");
    return 1;
}

export fn proxy_on_request_headers(_: u32, _: u32, _: u32) u32 {
    const probe = abi.header(.request_headers, "x-probe");
    defer if (probe) |bytes| abi.allocator.free(bytes);
    const count = abi.countHeaders(.request_headers);
    abi.log(.info, "request: {d} headers, x-probe {s}", .{ count, probe orelse "absent" });
    abi.addHeader(.request_headers, "x-foreign", language);

    abi.setProperty("foreign_language", language);
    const path = abi.property("request\x00path");
    defer abi.allocator.free(path);
    const own_property = abi.property("foreign_language");
    defer abi.allocator.free(own_property);
    abi.log(.info, "properties: {s}, {s}", .{ path, own_property });

    const now = abi.hostTime();
    var own: u64 = 0;
    _ = wasi.clock_time_get(.REALTIME, 1, &own);
    abi.log(.info, "time: host {d}, own {d}", .{ now, own });
    var random: [2]u64 = .{ 0, 0 };
    const bytes = std.mem.asBytes(&random);
    _ = wasi.random_get(bytes, bytes.len);
    abi.log(.info, "random: {d}, {d}", .{ random[0], random[1] });
    abi.log(.info, "requests: {d}", .{abi.increment(requests)});

    if (std.mem.eql(u8, path, "/crash")) @panic("crashed on purpose");
    if (std.mem.eql(u8, path, "/deny")) {
        abi.sendLocalResponse(403, "x-denied-by", language, "denied by " ++ language);
        return 1;
    }
    return 0;
}

export fn proxy_on_request_body(_: u32, size: usize, _: u32) u32 {
    if (size == 0) return 0;
    const body = abi.getBuffer(.request_body, size);
    defer abi.allocator.free(body);
    for (body) |*letter| letter.* = std.ascii.toUpper(letter.*);
    abi.setBuffer(.request_body, 0, size, body);
    return 0;
}

export fn proxy_on_response_headers(_: u32, _: u32, _: u32) u32 {
    abi.removeHeader(.response_headers, "content-length");
    abi.addHeader(.response_headers, "x-foreign", language);
    return 0;
}

export fn proxy_on_response_body(_: u32, size: usize, end: u32) u32 {
    if (end == 1) abi.setBuffer(.response_body, size, 0, "|" ++ language);
    return 0;
}

export fn proxy_on_log(_: u32) void {
    const path = abi.header(.request_headers, ":path") orelse return;
    defer abi.allocator.free(path);
    const status = abi.header(.response_headers, ":status") orelse return;
    defer abi.allocator.free(status);
    abi.log(.info, "done: {s} {s}", .{ path, status });
}
