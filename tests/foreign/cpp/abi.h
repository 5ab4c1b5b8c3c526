// The host's functions, and the little that the plugin needs on top of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#define IMPORT(name) __attribute__((import_module("env"), import_name(#name))) uint32_t name
#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

extern "C" {
IMPORT(proxy_log)(uint32_t level, const char *message, size_t size);
IMPORT(proxy_get_buffer_bytes)(uint32_t buffer, size_t start, size_t length, char **at, size_t *size);
IMPORT(proxy_set_buffer_bytes)(uint32_t buffer, size_t start, size_t length, const char *data, size_t size);
IMPORT(proxy_get_header_map_pairs)(uint32_t map, char **at, size_t *size);
IMPORT(proxy_get_header_map_value)(uint32_t map, const char *name, size_t name_size, char **at, size_t *size);
IMPORT(proxy_add_header_map_value)(uint32_t map, const char *name, size_t name_size, const char *value, size_t size);
IMPORT(proxy_remove_header_map_value)(uint32_t map, const char *name, size_t name_size);
IMPORT(proxy_get_property)(const char *path, size_t path_size, char **at, size_t *size);
IMPORT(proxy_set_property)(const char *path, size_t path_size, const char *value, size_t size);
IMPORT(proxy_send_local_response)(uint32_t status, const char *details, size_t details_size, const char *body,
                                  size_t body_size, const char *headers, size_t headers_size, int32_t grpc_status);
IMPORT(proxy_get_current_time_nanoseconds)(uint64_t *now);
IMPORT(proxy_define_metric)(uint32_t kind, const char *name, size_t name_size, uint32_t *id);
IMPORT(proxy_increment_metric)(uint32_t id, int64_t by);
IMPORT(proxy_get_metric)(uint32_t id, uint64_t *value);

// What modules of Emscripten want besides, and hosts give. The libc here has the former itself, so
// that of the host goes by another name.
__attribute__((import_module("env"), import_name("pthread_equal"))) uint32_t
host_pthread_equal(uint32_t left, uint32_t right);
__attribute__((import_module("env"), import_name("emscripten_notify_memory_growth"))) void
emscripten_notify_memory_growth(uint32_t memory);
}

enum Status : uint32_t { Ok = 0, NotFound = 1 };
enum Level : uint32_t { Info = 2, Error = 4 };
enum Buffer : uint32_t { RequestBody = 0, ResponseBody = 1, PluginConfiguration = 7 };
enum Map : uint32_t { RequestHeaders = 0, ResponseHeaders = 2 };

using Pairs = std::vector<std::pair<std::string, std::string>>;

inline void log(Level level, const std::string &message) { proxy_log(level, message.data(), message.size()); }

// Logs every status that is not what the plugin counts on.
inline void check(const char *call, uint32_t status) {
  if (status != Ok) {
    log(Error, std::string(call) + ": status " + std::to_string(status));
  }
}

// The host has asked `malloc` for this memory, so it is the plugin's to free.
inline std::string take(char *at, size_t size) {
  std::string text(at == nullptr ? "" : at, size);
  free(at);
  return text;
}

inline std::string buffer(Buffer kind, size_t size) {
  char *at = nullptr;
  size_t length = 0;
  check("proxy_get_buffer_bytes", proxy_get_buffer_bytes(kind, 0, size, &at, &length));
  return take(at, length);
}

inline std::optional<std::string> header(Map map, std::string_view name) {
  char *at = nullptr;
  size_t length = 0;
  uint32_t status = proxy_get_header_map_value(map, name.data(), name.size(), &at, &length);
  if (status == NotFound) {
    return std::nullopt;
  }
  check("proxy_get_header_map_value", status);
  return take(at, length);
}

inline void add_header(Map map, std::string_view name, std::string_view value) {
  check("proxy_add_header_map_value",
        proxy_add_header_map_value(map, name.data(), name.size(), value.data(), value.size()));
}

inline std::string property(std::string_view path) {
  char *at = nullptr;
  size_t length = 0;
  check("proxy_get_property", proxy_get_property(path.data(), path.size(), &at, &length));
  return take(at, length);
}

inline Pairs headers(Map map) {
  char *at = nullptr;
  size_t length = 0;
  check("proxy_get_header_map_pairs", proxy_get_header_map_pairs(map, &at, &length));
  std::string wire = take(at, length);
  Pairs pairs;
  if (wire.empty()) {
    return pairs;
  }
  auto word = [&wire](size_t n) {
    uint32_t word;
    memcpy(&word, wire.data() + 4 * n, sizeof word);
    return word;
  };
  const char *text = wire.data() + 4 + 8 * word(0);
  for (size_t n = 0; n < word(0); n++) {
    std::string name(text, word(1 + 2 * n));
    text += name.size() + 1;
    std::string value(text, word(2 + 2 * n));
    text += value.size() + 1;
    pairs.emplace_back(std::move(name), std::move(value));
  }
  return pairs;
}

inline std::string encode(const Pairs &pairs) {
  std::string wire;
  auto put = [&wire](uint32_t word) { wire.append(reinterpret_cast<const char *>(&word), sizeof word); };
  put(pairs.size());
  for (const auto &[name, value] : pairs) {
    put(name.size());
    put(value.size());
  }
  for (const auto &[name, value] : pairs) {
    wire.append(name).push_back('\0');
    wire.append(value).push_back('\0');
  }
  return wire;
}
