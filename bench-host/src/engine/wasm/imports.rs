//! The imports of a module, each given by a host call, a WASI function or a stub.

use wasmtime::{Extern, ExternType, Func, Module, Store};

use super::caller::{State, WasmCaller};
use super::restriction::{Allowed, Import};
use super::{runtime_imports, stub, wasi};
use crate::engine::StartError;
use crate::host::calls::{self, GrpcCallArguments, HttpCallArguments};
use crate::host::calls::{Answer, Out, Refusal, Span};
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
            let name = import.name();
            // Not the guest's own imports, so the ledger does not know them.
            if store.data().watched.is_some()
                && import.module() == crate::heap::MODULE
                && let Some(function) = super::heap::function(store, name)
            {
                return Ok(function.into());
            }
            let this = Import {
                place: store.data_mut().import(name),
                allowed: Allowed::of(import.module(), name),
            };
            let known = match import.module() {
                "env" => host_call(store, name, this)
                    .or_else(|| runtime_imports::function(store, name, this)),
                module if wasi::is(module) => wasi::function(store, name, this),
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
            Ok(fits
                .unwrap_or_else(|| stub::function(store, import.module(), name, this, wanted))
                .into())
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

fn host_call(store: &mut Store<State>, name: &str, this: Import) -> Option<Func> {
    macro_rules! import {
        (|$guest:ident $(, $arg:ident: $ty:ty)*| $call:expr) => {
            Func::wrap(store, move |caller: wasmtime::Caller<'_, State> $(, $arg: $ty)*| {
                let mut caller = WasmCaller(caller);
                caller.enter(this)?;
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
            import!(|g, milliseconds: u32| calls::set_tick_period(g, milliseconds))
        }
        "proxy_get_configuration" => {
            import!(|g, p: u32, n: u32| calls::get_configuration(g, out(p, n)))
        }
        "proxy_clear_route_cache" => import!(|g| calls::clear_route_cache(g)),
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
                     grpc: u32| {
                let (details, body, headers) = (span(dp, dn), span(bp, bn), span(hp, hn));
                calls::send_local_response(g, status, details, body, headers, grpc)
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
                     cp: u32,
                     cn: u32,
                     hp: u32,
                     hn: u32,
                     bp: u32,
                     bn: u32,
                     tp: u32,
                     tn: u32,
                     timeout: u32,
                     token: u32| {
                let (cluster, headers) = (span(cp, cn), span(hp, hn));
                let (body, trailers) = (span(bp, bn), span(tp, tn));
                let arguments = HttpCallArguments { cluster, headers, body, trailers, timeout };
                calls::http_call(g, arguments, token.into())
            })
        }
        "proxy_grpc_call" => {
            import!(|g,
                     gp: u32,
                     gn: u32,
                     sp: u32,
                     sn: u32,
                     mp: u32,
                     mn: u32,
                     ip: u32,
                     in_: u32,
                     bp: u32,
                     bn: u32,
                     timeout: u32,
                     token: u32| {
                let arguments = GrpcCallArguments {
                    target: span(gp, gn),
                    service: span(sp, sn),
                    method: span(mp, mn),
                    initial_metadata: span(ip, in_),
                    message: Some(span(bp, bn)),
                    timeout,
                };
                calls::grpc_call(g, arguments, token.into())
            })
        }
        "proxy_grpc_stream" => {
            import!(|g,
                     gp: u32,
                     gn: u32,
                     sp: u32,
                     sn: u32,
                     mp: u32,
                     mn: u32,
                     ip: u32,
                     in_: u32,
                     token: u32| {
                let arguments = GrpcCallArguments {
                    target: span(gp, gn),
                    service: span(sp, sn),
                    method: span(mp, mn),
                    initial_metadata: span(ip, in_),
                    message: None,
                    timeout: 0,
                };
                calls::grpc_call(g, arguments, token.into())
            })
        }
        "proxy_grpc_send" => {
            import!(|g, token: u32, p: u32, n: u32, end: u32| {
                calls::grpc_send(g, token, span(p, n), end)
            })
        }
        "proxy_grpc_close" => import!(|g, token: u32| calls::grpc_close(g, token)),
        "proxy_grpc_cancel" => import!(|g, token: u32| calls::grpc_cancel(g, token)),
        "proxy_redis_init" => {
            import!(|g, cp: u32, cn: u32, up: u32, un: u32, pp: u32, pn: u32, timeout: u32| {
                calls::redis_init(g, span(cp, cn), span(up, un), span(pp, pn), timeout)
            })
        }
        "proxy_redis_call" => {
            import!(|g, cp: u32, cn: u32, qp: u32, qn: u32, token: u32| {
                calls::redis_call(g, span(cp, cn), span(qp, qn), token.into())
            })
        }
        "proxy_inject_encoded_data_to_filter_chain" => {
            import!(|g, p: u32, n: u32, end: u32| calls::inject(g, span(p, n), end))
        }
        "proxy_get_upstream_hosts" => {
            import!(|g, p: u32, n: u32| calls::get_upstream_hosts(g, out(p, n)))
        }
        "proxy_set_upstream_override_host" => {
            import!(|g, p: u32, n: u32| calls::set_upstream_override_host(g, span(p, n)))
        }
        "proxy_call_foreign_function" => {
            import!(|g, np: u32, nn: u32, ap: u32, an: u32, p: u32, n: u32| {
                calls::call_foreign_function(g, span(np, nn), span(ap, an), out(p, n))
            })
        }
        _ => return None,
    })
}
