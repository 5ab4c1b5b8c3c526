//! The imports of a module, each given by a host call, a WASI function or a stub.

use wasmtime::{Extern, ExternType, Func, Module, Store};

use super::caller::{State, WasmCaller};
use super::{stub, wasi};
use crate::engine::StartError;
use crate::host::calls::{self, Answer, Caller as _, Out, Refusal, Span};
use crate::host::{HeaderMap, Status};

/// Everything that a module imports, in its order.
///
/// # Errors
/// [`StartError::Module`] for an import that is not a function: no proxy-wasm host gives memory or tables.
pub(super) fn all(store: &mut Store<State>, module: &Module) -> Result<Vec<Extern>, StartError> {
    module
        .imports()
        .map(|import| {
            let ExternType::Func(wanted) = import.ty() else {
                let reason = format!(
                    "it imports {}.{}, which is not a function; hosts give functions only",
                    import.module(),
                    import.name()
                );
                return Err(StartError::Module { what: "load", reason });
            };
            let place = store.data_mut().host.ledger.import(import.name());
            let known = match import.module() {
                "env" => host_call(store, import.name(), place),
                "wasi_snapshot_preview1" | "wasi_unstable" => {
                    wasi::function(store, import.name(), place)
                }
                _ => None,
            };
            let fits = known.filter(|function| {
                let given = function.ty(&*store);
                given.params().map(|ty| ty.to_string()).eq(wanted.params().map(|ty| ty.to_string()))
                    && given
                        .results()
                        .map(|ty| ty.to_string())
                        .eq(wanted.results().map(|ty| ty.to_string()))
            });
            let name = import.name();
            Ok(fits.unwrap_or_else(|| stub::function(store, name, place, wanted)).into())
        })
        .collect()
}

fn finish(answer: Answer<WasmCaller<'_>>) -> wasmtime::Result<u32> {
    match answer {
        Ok(()) => Ok(Status::Ok as u32),
        Err(Refusal::Status(status)) => Ok(status as u32),
        Err(Refusal::Trap(trap)) => Err(trap),
    }
}

/// Addresses and lengths are 32 bits wide in a module.
fn span(at: u32, len: u32) -> Span {
    Span(at.into(), len.into())
}

fn out(at: u32, len: u32) -> Out {
    Out(at.into(), len.into())
}

fn host_call(store: &mut Store<State>, name: &str, place: usize) -> Option<Func> {
    macro_rules! import {
        (|$guest:ident $(, $arg:ident: $ty:ty)*| $call:expr) => {
            Func::wrap(store, move |caller: wasmtime::Caller<'_, State> $(, $arg: $ty)*| {
                let mut caller = WasmCaller(caller);
                caller.host().ledger.host_call(place);
                let $guest = &mut caller;
                finish($call)
            })
        };
    }
    Some(match name {
        "proxy_log" => import!(|g, level: u32, p: u32, n: u32| calls::log(g, level, span(p, n))),
        "proxy_get_log_level" => import!(|g, p: u32| calls::get_log_level(g, p.into())),
        "proxy_get_current_time_nanoseconds" => {
            import!(|g, p: u32| calls::get_current_time(g, p.into()))
        }
        "proxy_set_tick_period_milliseconds" => {
            import!(|g, _period: u32| calls::set_tick_period(g))
        }
        "proxy_get_buffer_bytes" => {
            import!(|g, buffer: u32, start: u32, length: u32, p: u32, n: u32| {
                calls::get_buffer_bytes(g, buffer, start, length, out(p, n))
            })
        }
        "proxy_get_buffer_status" => {
            import!(|g, buffer: u32, n: u32, flags: u32| {
                calls::get_buffer_status(g, buffer, out(n, flags))
            })
        }
        "proxy_set_buffer_bytes" => {
            import!(|g, buffer: u32, start: u32, length: u32, p: u32, n: u32| {
                calls::set_buffer_bytes(g, buffer, start, length, span(p, n))
            })
        }
        "proxy_get_header_map_value" => {
            import!(|g, map: u32, p: u32, n: u32, vp: u32, vn: u32| {
                calls::get_header(g, map, span(p, n), out(vp, vn))
            })
        }
        "proxy_add_header_map_value" => {
            import!(|g, map: u32, p: u32, n: u32, vp: u32, vn: u32| {
                calls::put_header(g, map, span(p, n), span(vp, vn), HeaderMap::add)
            })
        }
        "proxy_replace_header_map_value" => {
            import!(|g, map: u32, p: u32, n: u32, vp: u32, vn: u32| {
                calls::put_header(g, map, span(p, n), span(vp, vn), HeaderMap::set)
            })
        }
        "proxy_remove_header_map_value" => {
            import!(|g, map: u32, p: u32, n: u32| calls::remove_header(g, map, span(p, n)))
        }
        "proxy_get_header_map_pairs" => {
            import!(|g, map: u32, p: u32, n: u32| calls::get_pairs(g, map, out(p, n)))
        }
        "proxy_set_header_map_pairs" => {
            import!(|g, map: u32, p: u32, n: u32| calls::set_pairs(g, map, span(p, n)))
        }
        "proxy_get_header_map_size" => {
            import!(|g, map: u32, p: u32| calls::get_map_size(g, map, p.into()))
        }
        "proxy_get_property" => {
            import!(|g, p: u32, n: u32, vp: u32, vn: u32| {
                calls::get_property(g, span(p, n), out(vp, vn))
            })
        }
        "proxy_set_property" => {
            import!(|g, p: u32, n: u32, vp: u32, vn: u32| {
                calls::set_property(g, span(p, n), span(vp, vn))
            })
        }
        "proxy_send_local_response" => {
            import!(|g,
                     status: u32,
                     dp: u32,
                     dn: u32,
                     bp: u32,
                     bn: u32,
                     hp: u32,
                     hn: u32,
                     _grpc: u32| {
                calls::send_local_response(g, status, span(dp, dn), span(bp, bn), span(hp, hn))
            })
        }
        "proxy_continue_stream" => import!(|g, kind: u32| calls::continue_stream(g, kind)),
        "proxy_continue_request" => import!(|g| calls::continue_stream(g, 0)),
        "proxy_continue_response" => import!(|g| calls::continue_stream(g, 1)),
        "proxy_close_stream" => import!(|g, kind: u32| calls::close_stream(g, kind)),
        "proxy_set_effective_context" => {
            import!(|g, context: u32| calls::set_effective_context(g, context))
        }
        "proxy_get_status" => {
            import!(|g, code: u32, p: u32, n: u32| calls::get_status(g, code.into(), out(p, n)))
        }
        "proxy_get_shared_data" => {
            import!(|g, p: u32, n: u32, vp: u32, vn: u32, cas: u32| {
                calls::get_shared_data(g, span(p, n), out(vp, vn), cas.into())
            })
        }
        "proxy_set_shared_data" => {
            import!(|g, p: u32, n: u32, vp: u32, vn: u32, cas: u32| {
                calls::set_shared_data(g, span(p, n), span(vp, vn), cas)
            })
        }
        "proxy_register_shared_queue" => {
            import!(|g, p: u32, n: u32, token: u32| {
                calls::register_queue(g, span(p, n), token.into())
            })
        }
        "proxy_resolve_shared_queue" => {
            import!(|g, vm: u32, vm_len: u32, p: u32, n: u32, token: u32| {
                calls::resolve_queue(g, span(vm, vm_len), span(p, n), token.into())
            })
        }
        "proxy_enqueue_shared_queue" => {
            import!(|g, token: u32, p: u32, n: u32| calls::enqueue(g, token, span(p, n)))
        }
        "proxy_dequeue_shared_queue" => {
            import!(|g, token: u32, p: u32, n: u32| calls::dequeue(g, token, out(p, n)))
        }
        "proxy_define_metric" => {
            import!(|g, kind: u32, p: u32, n: u32, id: u32| {
                calls::define_metric(g, kind, span(p, n), id.into())
            })
        }
        "proxy_increment_metric" => {
            import!(|g, id: u32, by: i64| calls::increment_metric(g, id, by))
        }
        "proxy_record_metric" => {
            import!(|g, id: u32, value: u64| calls::record_metric(g, id, value))
        }
        "proxy_get_metric" => import!(|g, id: u32, p: u32| calls::get_metric(g, id, p.into())),
        "proxy_done" => import!(|g| calls::done(g)),
        "proxy_http_call" => {
            import!(|g,
                     _a: u32,
                     _b: u32,
                     _c: u32,
                     _d: u32,
                     _e: u32,
                     _f: u32,
                     _h: u32,
                     _i: u32,
                     _j: u32,
                     token: u32| {
                let token = token.into();
                calls::http_call(g, token)
            })
        }
        "proxy_call_foreign_function" => {
            import!(|g, p: u32, n: u32, ap: u32, an: u32, rp: u32, rn: u32| {
                calls::call_foreign_function(g, span(p, n), span(ap, an), out(rp, rn))
            })
        }
        _ => return None,
    })
}
