// The plugin that tests/foreign/README.md describes, in Go without any SDK.
package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

const language = "go"

var requests uint32

// Never called: a library of Go has no start beyond `_initialize`.
func main() {}

func logInfo(format string, values ...any) {
	proxyLog(levelInfo, fmt.Sprintf(format, values...))
}

func logError(call string, status uint32) {
	proxyLog(levelError, fmt.Sprintf("%s: status %d", call, status))
}

//go:wasmexport proxy_on_configure
func onConfigure(_, size uint32) uint32 {
	logInfo("configured with: %s", buffer(pluginConfiguration, size))
	check("proxy_define_metric", proxyDefineMetric(0, "foreign_requests", &requests))
	return 1
}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(_, _, _ uint32) uint32 {
	probe, found := header(requestHeaders, "x-probe")
	if !found {
		probe = "absent"
	}
	logInfo("request: %d headers, x-probe %s", len(headers(requestHeaders)), probe)
	check("proxy_add_header_map_value", proxyAddHeaderMapValue(requestHeaders, "x-foreign", language))

	check("proxy_set_property", proxySetProperty("foreign_language", language))
	path := property("request\x00path")
	logInfo("properties: %s, %s", path, property("foreign_language"))

	var now uint64
	check("proxy_get_current_time_nanoseconds", proxyGetCurrentTimeNanoseconds(&now))
	logInfo("time: host %d, own %d", now, time.Now().UnixNano())
	logInfo("random: %d, %d", rand.Uint64(), rand.Uint64())

	var count uint64
	check("proxy_increment_metric", proxyIncrementMetric(requests, 1))
	check("proxy_get_metric", proxyGetMetric(requests, &count))
	logInfo("requests: %d", count)

	if path == "/crash" {
		panic("crashed on purpose")
	}
	if path == "/deny" {
		deniedBy := encode([2]string{"x-denied-by", language})
		body := "denied by " + language
		check("proxy_send_local_response", proxySendLocalResponse(403, "", body, deniedBy, -1))
		return 1
	}
	return 0
}

//go:wasmexport proxy_on_request_body
func onRequestBody(_, size, _ uint32) uint32 {
	if size == 0 {
		return 0
	}
	body := buffer(requestBody, size)
	for at, letter := range body {
		if 'a' <= letter && letter <= 'z' {
			body[at] = letter - 'a' + 'A'
		}
	}
	check("proxy_set_buffer_bytes", proxySetBufferBytes(requestBody, 0, size, text(body)))
	return 0
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(_, _, _ uint32) uint32 {
	check("proxy_remove_header_map_value", proxyRemoveHeaderMapValue(responseHeaders, "content-length"))
	check("proxy_add_header_map_value", proxyAddHeaderMapValue(responseHeaders, "x-foreign", language))
	return 0
}

//go:wasmexport proxy_on_response_body
func onResponseBody(_, size, end uint32) uint32 {
	if end == 1 {
		check("proxy_set_buffer_bytes", proxySetBufferBytes(responseBody, size, 0, "|"+language))
	}
	return 0
}

//go:wasmexport proxy_on_log
func onLog(_ uint32) {
	path, _ := header(requestHeaders, ":path")
	status, _ := header(responseHeaders, ":status")
	logInfo("done: %s %s", path, status)
}
