package main

import (
	"encoding/binary"
	"unsafe"
)

// Pointers of Go are 64 bits wide even in wasm, those of the host 32: addresses are uint32 here.

//go:wasmimport env proxy_log
//go:noescape
func proxyLog(level uint32, message string) uint32

//go:wasmimport env proxy_get_buffer_bytes
func proxyGetBufferBytes(buffer, start, length uint32, at, size *uint32) uint32

//go:wasmimport env proxy_set_buffer_bytes
func proxySetBufferBytes(buffer, start, length uint32, data string) uint32

//go:wasmimport env proxy_get_header_map_pairs
func proxyGetHeaderMapPairs(headers uint32, at, size *uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func proxyGetHeaderMapValue(headers uint32, name string, at, size *uint32) uint32

//go:wasmimport env proxy_add_header_map_value
func proxyAddHeaderMapValue(headers uint32, name, value string) uint32

//go:wasmimport env proxy_remove_header_map_value
func proxyRemoveHeaderMapValue(headers uint32, name string) uint32

//go:wasmimport env proxy_get_property
func proxyGetProperty(path string, at, size *uint32) uint32

//go:wasmimport env proxy_set_property
func proxySetProperty(path, value string) uint32

//go:wasmimport env proxy_send_local_response
func proxySendLocalResponse(status uint32, details, body, headers string, grpcStatus int32) uint32

//go:wasmimport env proxy_get_current_time_nanoseconds
func proxyGetCurrentTimeNanoseconds(now *uint64) uint32

//go:wasmimport env proxy_define_metric
func proxyDefineMetric(kind uint32, name string, id *uint32) uint32

//go:wasmimport env proxy_increment_metric
func proxyIncrementMetric(id uint32, by int64) uint32

//go:wasmimport env proxy_get_metric
func proxyGetMetric(id uint32, value *uint64) uint32

const (
	ok       = 0
	notFound = 1

	levelInfo  = 2
	levelError = 4

	requestBody         = 0
	responseBody        = 1
	pluginConfiguration = 7

	requestHeaders  = 0
	responseHeaders = 2
)

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

// What the host has asked for and the plugin has not yet taken. The collector does not see the
// host's pointers, and the host calls in the middle of a host call of the plugin.
var granted = map[uint32][]byte{}

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) uint32 {
	bytes := make([]byte, max(size, 1))
	at := uint32(uintptr(unsafe.Pointer(&bytes[0])))
	granted[at] = bytes
	return at
}

func take(at, size uint32) []byte {
	bytes := granted[at]
	delete(granted, at)
	return bytes[:size]
}

// check logs every status that is not what the plugin counts on.
func check(call string, status uint32) {
	if status != ok {
		logError(call, status)
	}
}

func buffer(kind, size uint32) []byte {
	var at, length uint32
	check("proxy_get_buffer_bytes", proxyGetBufferBytes(kind, 0, size, &at, &length))
	return take(at, length)
}

// text of what is not to be changed any more.
func text(bytes []byte) string {
	return unsafe.String(unsafe.SliceData(bytes), len(bytes))
}

func header(headers uint32, name string) (string, bool) {
	var at, length uint32
	status := proxyGetHeaderMapValue(headers, name, &at, &length)
	if status != notFound {
		check("proxy_get_header_map_value", status)
	}
	return text(take(at, length)), status == ok
}

func headers(kind uint32) [][2]string {
	var at, length uint32
	check("proxy_get_header_map_pairs", proxyGetHeaderMapPairs(kind, &at, &length))
	return decode(take(at, length))
}

func property(path string) string {
	var at, length uint32
	check("proxy_get_property", proxyGetProperty(path, &at, &length))
	return text(take(at, length))
}

func decode(wire []byte) [][2]string {
	if len(wire) == 0 {
		return nil
	}
	word := func(n uint32) uint32 { return binary.LittleEndian.Uint32(wire[4*n:]) }
	pairs := make([][2]string, word(0))
	at := 4 + 8*word(0)
	for n := range pairs {
		for half := range pairs[n] {
			length := word(1 + 2*uint32(n) + uint32(half))
			pairs[n][half] = text(wire[at : at+length])
			at += length + 1
		}
	}
	return pairs
}

func encode(pairs ...[2]string) string {
	wire := binary.LittleEndian.AppendUint32(nil, uint32(len(pairs)))
	for _, pair := range pairs {
		wire = binary.LittleEndian.AppendUint32(wire, uint32(len(pair[0])))
		wire = binary.LittleEndian.AppendUint32(wire, uint32(len(pair[1])))
	}
	for _, pair := range pairs {
		wire = append(append(wire, pair[0]...), 0)
		wire = append(append(wire, pair[1]...), 0)
	}
	return text(wire)
}
