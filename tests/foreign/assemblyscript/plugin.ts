// The plugin that tests/foreign/README.md describes, in AssemblyScript without any SDK.
import * as abi from "./abi";
import { Buffer, Headers, Level } from "./abi";

const LANGUAGE = "assemblyscript";

let requests: u32 = 0;

/** Instead of the import `env.abort`, for want of which a proxy would refuse the module. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  abi.log(Level.Error, `abort: ${message ? message : ""} at ${file ? file : ""}:${line}:${column}`);
  unreachable();
}

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_memory_allocate(size: u32): usize {
  return abi.allocate(size);
}

export function proxy_on_configure(_context: u32, size: u32): u32 {
  const configuration = abi.getBuffer(Buffer.PluginConfiguration, size);
  abi.log(Level.Info, "configured with: " + String.UTF8.decode(configuration));
  requests = abi.defineCounter("foreign_requests");
  return 1;
}

export function proxy_on_request_headers(_context: u32, _count: u32, _end: u32): u32 {
  const probe = abi.header(Headers.Request, "x-probe", "absent");
  const count = abi.headers(Headers.Request).length;
  abi.log(Level.Info, `request: ${count} headers, x-probe ${probe}`);
  abi.addHeader(Headers.Request, "x-foreign", LANGUAGE);

  abi.setProperty("foreign_language", LANGUAGE);
  const path = abi.property("request\0path");
  abi.log(Level.Info, `properties: ${path}, ${abi.property("foreign_language")}`);

  abi.log(Level.Info, `time: host ${abi.hostTime()}, own ${abi.ownTime()}`);
  abi.log(Level.Info, `random: ${abi.random()}, ${abi.random()}`);
  abi.log(Level.Info, `requests: ${abi.increment(requests)}`);

  if (path == "/crash") throw new Error("crashed on purpose");
  if (path == "/deny") {
    abi.sendLocalResponse(403, "x-denied-by", LANGUAGE, "denied by " + LANGUAGE);
    return 1;
  }
  return 0;
}

export function proxy_on_request_body(_context: u32, size: u32, _end: u32): u32 {
  if (size == 0) return 0;
  const body = abi.getBuffer(Buffer.RequestBody, size);
  // Elements of a Uint8Array are a call each.
  const begin = changetype<usize>(body), end = begin + body.byteLength;
  for (let at = begin; at < end; at++) {
    const letter = load<u8>(at);
    if (letter >= 0x61 && letter <= 0x7a) store<u8>(at, letter - 0x20);
  }
  abi.setBuffer(Buffer.RequestBody, 0, size, body);
  return 0;
}

export function proxy_on_response_headers(_context: u32, _count: u32, _end: u32): u32 {
  abi.removeHeader(Headers.Response, "content-length");
  abi.addHeader(Headers.Response, "x-foreign", LANGUAGE);
  return 0;
}

export function proxy_on_response_body(_context: u32, size: u32, end: u32): u32 {
  if (end) abi.setBuffer(Buffer.ResponseBody, size, 0, String.UTF8.encode("|" + LANGUAGE));
  return 0;
}

export function proxy_on_log(_context: u32): void {
  const path = abi.header(Headers.Request, ":path", "");
  abi.log(Level.Info, `done: ${path} ${abi.header(Headers.Response, ":status", "")}`);
}
