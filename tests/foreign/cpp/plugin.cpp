// The plugin that tests/foreign/README.md describes, in C++ without any SDK.
#include "abi.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

using namespace std::literals;

static constexpr auto language = "cpp"sv;

// Has a constructor, so that `_initialize` has something to do.
static const std::string denied = "denied by " + std::string(language);

static uint32_t requests;

EXPORT(proxy_abi_version_0_2_1) void abi_version() {}

EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t, uint32_t size) {
  log(Info, "configured with: " + buffer(PluginConfiguration, size));
  auto name = "foreign_requests"sv;
  check("proxy_define_metric", proxy_define_metric(0, name.data(), name.size(), &requests));
  emscripten_notify_memory_growth(0);
  if (!host_pthread_equal(1, 1) || host_pthread_equal(1, 2)) {
    log(Error, "pthread_equal does not compare");
  }
  return 1;
}

EXPORT(proxy_on_request_headers) uint32_t on_request_headers(uint32_t, uint32_t, uint32_t) {
  auto probe = header(RequestHeaders, "x-probe").value_or("absent");
  auto count = headers(RequestHeaders).size();
  log(Info, "request: " + std::to_string(count) + " headers, x-probe " + probe);
  add_header(RequestHeaders, "x-foreign", language);

  auto name = "foreign_language"sv;
  check("proxy_set_property", proxy_set_property(name.data(), name.size(), language.data(), language.size()));
  auto path = property("request\0path"sv);
  log(Info, "properties: " + path + ", " + property(name));

  uint64_t now = 0;
  check("proxy_get_current_time_nanoseconds", proxy_get_current_time_nanoseconds(&now));
  auto since = std::chrono::system_clock::now().time_since_epoch();
  auto own = std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
  log(Info, "time: host " + std::to_string(now) + ", own " + std::to_string(own));
  std::random_device random;
  auto first = random();
  log(Info, "random: " + std::to_string(first) + ", " + std::to_string(random()));

  uint64_t total = 0;
  check("proxy_increment_metric", proxy_increment_metric(requests, 1));
  check("proxy_get_metric", proxy_get_metric(requests, &total));
  log(Info, "requests: " + std::to_string(total));

  if (path == "/crash") {
    std::fputs("crashed on purpose\n", stderr);
    std::abort();
  }
  if (path == "/deny") {
    auto headers = encode({{"x-denied-by", std::string(language)}});
    check("proxy_send_local_response", proxy_send_local_response(403, nullptr, 0, denied.data(), denied.size(),
                                                                 headers.data(), headers.size(), -1));
    return 1;
  }
  return 0;
}

EXPORT(proxy_on_request_body) uint32_t on_request_body(uint32_t, uint32_t size, uint32_t) {
  if (size == 0) {
    return 0;
  }
  auto body = buffer(RequestBody, size);
  std::transform(body.begin(), body.end(), body.begin(),
                 [](char letter) { return 'a' <= letter && letter <= 'z' ? letter - 'a' + 'A' : letter; });
  check("proxy_set_buffer_bytes", proxy_set_buffer_bytes(RequestBody, 0, size, body.data(), body.size()));
  return 0;
}

EXPORT(proxy_on_response_headers) uint32_t on_response_headers(uint32_t, uint32_t, uint32_t) {
  auto length = "content-length"sv;
  check("proxy_remove_header_map_value",
        proxy_remove_header_map_value(ResponseHeaders, length.data(), length.size()));
  add_header(ResponseHeaders, "x-foreign", language);
  return 0;
}

EXPORT(proxy_on_response_body) uint32_t on_response_body(uint32_t, uint32_t size, uint32_t end) {
  if (end) {
    auto marker = "|" + std::string(language);
    check("proxy_set_buffer_bytes", proxy_set_buffer_bytes(ResponseBody, size, 0, marker.data(), marker.size()));
  }
  return 0;
}

EXPORT(proxy_on_log) void on_log(uint32_t) {
  auto path = header(RequestHeaders, ":path").value_or("");
  log(Info, "done: " + path + " " + header(ResponseHeaders, ":status").value_or(""));
}
