// The host's functions, and the little that the plugin needs on top of them.

@external("env", "proxy_log")
declare function proxy_log(level: u32, message: usize, size: u32): u32;
@external("env", "proxy_get_buffer_bytes")
declare function proxy_get_buffer_bytes(buffer: u32, start: u32, length: u32, at: usize, size: usize): u32;
@external("env", "proxy_set_buffer_bytes")
declare function proxy_set_buffer_bytes(buffer: u32, start: u32, length: u32, data: usize, size: u32): u32;
@external("env", "proxy_get_header_map_pairs")
declare function proxy_get_header_map_pairs(map: u32, at: usize, size: usize): u32;
@external("env", "proxy_get_header_map_value")
declare function proxy_get_header_map_value(map: u32, name: usize, nameSize: u32, at: usize, size: usize): u32;
@external("env", "proxy_add_header_map_value")
declare function proxy_add_header_map_value(map: u32, name: usize, nameSize: u32, value: usize, size: u32): u32;
@external("env", "proxy_remove_header_map_value")
declare function proxy_remove_header_map_value(map: u32, name: usize, nameSize: u32): u32;
@external("env", "proxy_get_property")
declare function proxy_get_property(path: usize, pathSize: u32, at: usize, size: usize): u32;
@external("env", "proxy_set_property")
declare function proxy_set_property(path: usize, pathSize: u32, value: usize, size: u32): u32;
@external("env", "proxy_send_local_response")
declare function proxy_send_local_response(
  status: u32, details: usize, detailsSize: u32, body: usize, bodySize: u32,
  headers: usize, headersSize: u32, grpcStatus: i32,
): u32;
@external("env", "proxy_get_current_time_nanoseconds")
declare function proxy_get_current_time_nanoseconds(now: usize): u32;
@external("env", "proxy_define_metric")
declare function proxy_define_metric(kind: u32, name: usize, nameSize: u32, id: usize): u32;
@external("env", "proxy_increment_metric")
declare function proxy_increment_metric(id: u32, by: i64): u32;
@external("env", "proxy_get_metric")
declare function proxy_get_metric(id: u32, value: usize): u32;

// The language has no clock and no seed of its own outside of a browser: these are those of WASI.
@external("wasi_snapshot_preview1", "clock_time_get")
declare function clock_time_get(clock: u32, precision: u64, at: usize): u32;
@external("wasi_snapshot_preview1", "random_get")
declare function random_get(at: usize, size: u32): u32;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;

export namespace Level {
  export const Info: u32 = 2;
  export const Error: u32 = 4;
}
export namespace Buffer {
  export const RequestBody: u32 = 0;
  export const ResponseBody: u32 = 1;
  export const PluginConfiguration: u32 = 7;
}
export namespace Headers {
  export const Request: u32 = 0;
  export const Response: u32 = 2;
}

// Where the host writes what it returns: address, length, and a number of 64 bits.
const AT = memory.data(4);
const SIZE = memory.data(4);
const NUMBER = memory.data(8, 8);

function utf8(text: string): ArrayBuffer {
  return String.UTF8.encode(text);
}

function address(bytes: ArrayBuffer): usize {
  return changetype<usize>(bytes);
}

/** Memory for the host: outside of the collector's heap, freed by whoever takes it. */
export function allocate(size: u32): usize {
  return heap.alloc(size);
}

function reset(): void {
  store<u32>(AT, 0);
  store<u32>(SIZE, 0);
}

function take(): ArrayBuffer {
  const at = load<u32>(AT);
  const bytes = new ArrayBuffer(load<u32>(SIZE));
  if (at != 0) {
    memory.copy(address(bytes), at, bytes.byteLength);
    heap.free(at);
  }
  return bytes;
}

export function log(level: u32, message: string): void {
  const bytes = utf8(message);
  proxy_log(level, address(bytes), bytes.byteLength);
}

/** Logs every status that is not what the plugin counts on. */
function check(call: string, status: u32): void {
  if (status != OK) log(Level.Error, `${call}: status ${status}`);
}

export function getBuffer(kind: u32, size: u32): ArrayBuffer {
  reset();
  check("proxy_get_buffer_bytes", proxy_get_buffer_bytes(kind, 0, size, AT, SIZE));
  return take();
}

export function setBuffer(kind: u32, start: u32, length: u32, data: ArrayBuffer): void {
  check("proxy_set_buffer_bytes", proxy_set_buffer_bytes(kind, start, length, address(data), data.byteLength));
}

export function header(map: u32, name: string, absent: string): string {
  const bytes = utf8(name);
  reset();
  const status = proxy_get_header_map_value(map, address(bytes), bytes.byteLength, AT, SIZE);
  if (status == NOT_FOUND) return absent;
  check("proxy_get_header_map_value", status);
  return String.UTF8.decode(take());
}

export function addHeader(map: u32, name: string, value: string): void {
  const n = utf8(name), v = utf8(value);
  const status = proxy_add_header_map_value(map, address(n), n.byteLength, address(v), v.byteLength);
  check("proxy_add_header_map_value", status);
}

export function removeHeader(map: u32, name: string): void {
  const bytes = utf8(name);
  check("proxy_remove_header_map_value", proxy_remove_header_map_value(map, address(bytes), bytes.byteLength));
}

export function property(path: string): string {
  const bytes = utf8(path);
  reset();
  check("proxy_get_property", proxy_get_property(address(bytes), bytes.byteLength, AT, SIZE));
  return String.UTF8.decode(take());
}

export function setProperty(path: string, value: string): void {
  const p = utf8(path), v = utf8(value);
  check("proxy_set_property", proxy_set_property(address(p), p.byteLength, address(v), v.byteLength));
}

export function headers(map: u32): string[][] {
  reset();
  check("proxy_get_header_map_pairs", proxy_get_header_map_pairs(map, AT, SIZE));
  const wire = take();
  const pairs: string[][] = [];
  if (wire.byteLength == 0) return pairs;
  const view = new DataView(wire);
  const count = view.getUint32(0, true);
  let at: u32 = 4 + 8 * count;
  for (let n: u32 = 0; n < count; n++) {
    const name = view.getUint32(4 + 8 * n, true), value = view.getUint32(8 + 8 * n, true);
    pairs.push([
      String.UTF8.decode(wire.slice(at, at + name)),
      String.UTF8.decode(wire.slice(at + name + 1, at + name + 1 + value)),
    ]);
    at += name + value + 2;
  }
  return pairs;
}

/** Header pairs of one pair. */
function encode(name: string, value: string): ArrayBuffer {
  const n = utf8(name), v = utf8(value);
  const wire = new ArrayBuffer(12 + n.byteLength + 1 + v.byteLength + 1);
  const view = new DataView(wire);
  view.setUint32(0, 1, true);
  view.setUint32(4, n.byteLength, true);
  view.setUint32(8, v.byteLength, true);
  memory.copy(address(wire) + 12, address(n), n.byteLength);
  memory.copy(address(wire) + 12 + n.byteLength + 1, address(v), v.byteLength);
  return wire;
}

export function sendLocalResponse(status: u32, name: string, value: string, body: string): void {
  const wire = encode(name, value), b = utf8(body);
  check("proxy_send_local_response", proxy_send_local_response(
    status, 0, 0, address(b), b.byteLength, address(wire), wire.byteLength, -1,
  ));
}

export function hostTime(): u64 {
  check("proxy_get_current_time_nanoseconds", proxy_get_current_time_nanoseconds(NUMBER));
  return load<u64>(NUMBER);
}

export function ownTime(): u64 {
  check("clock_time_get", clock_time_get(0, 1, NUMBER));
  return load<u64>(NUMBER);
}

export function random(): u64 {
  check("random_get", random_get(NUMBER, 8));
  return load<u64>(NUMBER);
}

export function defineCounter(name: string): u32 {
  const bytes = utf8(name);
  check("proxy_define_metric", proxy_define_metric(0, address(bytes), bytes.byteLength, AT));
  return load<u32>(AT);
}

export function increment(id: u32): u64 {
  check("proxy_increment_metric", proxy_increment_metric(id, 1));
  check("proxy_get_metric", proxy_get_metric(id, NUMBER));
  return load<u64>(NUMBER);
}
