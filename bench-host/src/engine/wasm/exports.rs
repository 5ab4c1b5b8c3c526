//! The callbacks that a module exports.

use wasmtime::{Instance, Store, TypedFunc};

use super::caller::State;
use super::run::Runner;
use crate::engine::{Callback, Fault, StartError};
use crate::module::AbiVersion;

/// The callbacks that the module has; each is looked up once for an instance.
pub(super) struct Exports {
    context_create: Option<TypedFunc<(u32, u32), ()>>,
    vm_start: Option<TypedFunc<(u32, u32), u32>>,
    configure: Option<TypedFunc<(u32, u32), u32>>,
    request_headers: Option<HeadersCallback>,
    request_body: Option<TypedFunc<(u32, u32, u32), u32>>,
    request_trailers: Option<TypedFunc<(u32, u32), u32>>,
    request_metadata: Option<TypedFunc<(u32, u32), u32>>,
    response_headers: Option<HeadersCallback>,
    response_body: Option<TypedFunc<(u32, u32, u32), u32>>,
    response_trailers: Option<TypedFunc<(u32, u32), u32>>,
    response_metadata: Option<TypedFunc<(u32, u32), u32>>,
    tick: Option<TypedFunc<u32, ()>>,
    queue_ready: Option<TypedFunc<(u32, u32), ()>>,
    http_call_response: Option<FiveNumbers>,
    redis_call_response: Option<TypedFunc<(u32, u32, u32, u32), ()>>,
    grpc_initial_metadata: Option<TypedFunc<(u32, u32, u32), ()>>,
    grpc_message: Option<TypedFunc<(u32, u32, u32), ()>>,
    grpc_trailing_metadata: Option<TypedFunc<(u32, u32, u32), ()>>,
    grpc_close: Option<TypedFunc<(u32, u32, u32), ()>>,
    new_connection: Option<TypedFunc<u32, u32>>,
    downstream_data: Option<TypedFunc<(u32, u32, u32), u32>>,
    downstream_close: Option<TypedFunc<(u32, u32), ()>>,
    upstream_data: Option<TypedFunc<(u32, u32, u32), u32>>,
    upstream_close: Option<TypedFunc<(u32, u32), ()>>,
    foreign_function: Option<TypedFunc<(u32, u32, u32), ()>>,
    log: Option<TypedFunc<u32, ()>>,
    done: Option<TypedFunc<u32, u32>>,
    delete: Option<TypedFunc<u32, ()>>,
}

type FiveNumbers = TypedFunc<(u32, u32, u32, u32, u32), ()>;

/// ABI 0.1.0 does not say whether headers end the stream.
enum HeadersCallback {
    WithEnd(TypedFunc<(u32, u32, u32), u32>),
    WithoutEnd(TypedFunc<(u32, u32), u32>),
}

/// What was found, unless there is a function of the name that has another type.
fn sound<F>(
    store: &mut Store<State>,
    instance: &Instance,
    name: &str,
    found: Option<F>,
) -> Result<Option<F>, StartError> {
    if found.is_some() {
        return Ok(found);
    }
    let Some(other) = instance.get_func(&mut *store, name) else { return Ok(None) };
    let ty = other.ty(&*store);
    let list = |types: Vec<String>| types.join(", ");
    let params = list(ty.params().map(|ty| ty.to_string()).collect());
    let results = match list(ty.results().map(|ty| ty.to_string()).collect()) {
        none if none.is_empty() => none,
        results => format!(" -> {results}"),
    };
    Err(StartError::Module {
        what: "load",
        reason: format!(
            "its {name} is ({params}){results}, and not what its ABI version says; proxies refuse it too"
        ),
    })
}

impl Exports {
    /// Looks the callbacks up.
    ///
    /// # Errors
    /// [`StartError::Module`] for a callback of another type than the ABI's, which the C++ host
    /// refuses as well ("Bad function signature"). Those for headers have two parameters under ABI
    /// 0.1.0 and three from 0.2.0 on; a module that names no version may have either.
    pub fn of(
        store: &mut Store<State>,
        instance: &Instance,
        abi: Option<AbiVersion>,
    ) -> Result<Self, StartError> {
        let may_have_end = abi != Some(AbiVersion::V0_1_0);
        let may_lack_end = matches!(abi, None | Some(AbiVersion::V0_1_0));
        macro_rules! typed {
            ($name:literal) => {{
                let function = instance.get_typed_func(&mut *store, $name).ok();
                sound(store, instance, $name, function)?
            }};
        }
        macro_rules! headers {
            ($name:literal) => {{
                let with_end = instance.get_typed_func(&mut *store, $name).ok();
                let without = instance.get_typed_func(&mut *store, $name).ok();
                let with_end = with_end.filter(|_| may_have_end);
                let without = without.filter(|_| may_lack_end);
                let function = with_end
                    .map(HeadersCallback::WithEnd)
                    .or_else(|| without.map(HeadersCallback::WithoutEnd));
                sound(store, instance, $name, function)?
            }};
        }
        Ok(Self {
            context_create: typed!("proxy_on_context_create"),
            vm_start: typed!("proxy_on_vm_start"),
            configure: typed!("proxy_on_configure"),
            request_headers: headers!("proxy_on_request_headers"),
            request_body: typed!("proxy_on_request_body"),
            request_trailers: typed!("proxy_on_request_trailers"),
            request_metadata: typed!("proxy_on_request_metadata"),
            response_headers: headers!("proxy_on_response_headers"),
            response_body: typed!("proxy_on_response_body"),
            response_trailers: typed!("proxy_on_response_trailers"),
            response_metadata: typed!("proxy_on_response_metadata"),
            tick: typed!("proxy_on_tick"),
            queue_ready: typed!("proxy_on_queue_ready"),
            http_call_response: typed!("proxy_on_http_call_response"),
            redis_call_response: typed!("proxy_on_redis_call_response"),
            grpc_initial_metadata: typed!("proxy_on_grpc_receive_initial_metadata"),
            grpc_message: typed!("proxy_on_grpc_receive"),
            grpc_trailing_metadata: typed!("proxy_on_grpc_receive_trailing_metadata"),
            grpc_close: typed!("proxy_on_grpc_close"),
            new_connection: typed!("proxy_on_new_connection"),
            downstream_data: typed!("proxy_on_downstream_data"),
            downstream_close: typed!("proxy_on_downstream_connection_close"),
            upstream_data: typed!("proxy_on_upstream_data"),
            upstream_close: typed!("proxy_on_upstream_connection_close"),
            foreign_function: typed!("proxy_on_foreign_function"),
            log: typed!("proxy_on_log"),
            done: typed!("proxy_on_done"),
            delete: typed!("proxy_on_delete"),
        })
    }

    /// Makes a callback; `None` when the module does not have it. Allocates nothing.
    pub fn call(&self, runner: &mut Runner, callback: Callback) -> Result<Option<u32>, Fault> {
        use Callback as C;

        let name = callback.export();
        // Each arm is one export with the arguments of its own type.
        macro_rules! call {
            ($export:ident, $params:expr) => {
                match &self.$export {
                    Some(function) => runner.run(name, function, $params).map(Answer::number),
                    None => Ok(None),
                }
            };
        }
        macro_rules! headers {
            ($export:ident, $context:expr, $count:expr, $end:expr) => {
                match &self.$export {
                    Some(HeadersCallback::WithEnd(function)) => {
                        let params = ($context, $count, u32::from($end));
                        runner.run(name, function, params).map(Answer::number)
                    }
                    Some(HeadersCallback::WithoutEnd(function)) => {
                        runner.run(name, function, ($context, $count)).map(Answer::number)
                    }
                    None => Ok(None),
                }
            };
        }
        match callback {
            C::ContextCreate { context: c, parent } => call!(context_create, (c, parent)),
            C::VmStart { context: c, size } => call!(vm_start, (c, size)),
            C::Configure { context: c, size } => call!(configure, (c, size)),
            C::RequestHeaders { context: c, count, end } => {
                headers!(request_headers, c, count, end)
            }
            C::RequestBody { context: c, size, end } => call!(request_body, (c, size, end.into())),
            C::RequestTrailers { context: c, count } => call!(request_trailers, (c, count)),
            C::RequestMetadata { context: c, count } => call!(request_metadata, (c, count)),
            C::ResponseHeaders { context: c, count, end } => {
                headers!(response_headers, c, count, end)
            }
            C::ResponseBody { context: c, size, end } => {
                call!(response_body, (c, size, end.into()))
            }
            C::ResponseTrailers { context: c, count } => call!(response_trailers, (c, count)),
            C::ResponseMetadata { context: c, count } => call!(response_metadata, (c, count)),
            C::Tick { context: c } => call!(tick, c),
            C::QueueReady { context: c, token } => call!(queue_ready, (c, token)),
            C::HttpCallResponse { context: c, token, headers, size, trailers } => {
                call!(http_call_response, (c, token, headers, size, trailers))
            }
            C::RedisCallResponse { context: c, token, status, size } => {
                call!(redis_call_response, (c, token, status, size))
            }
            C::GrpcInitialMetadata { context: c, token, count } => {
                call!(grpc_initial_metadata, (c, token, count))
            }
            C::GrpcMessage { context: c, token, size } => call!(grpc_message, (c, token, size)),
            C::GrpcTrailingMetadata { context: c, token, count } => {
                call!(grpc_trailing_metadata, (c, token, count))
            }
            C::GrpcClose { context: c, token, status } => call!(grpc_close, (c, token, status)),
            C::NewConnection { context: c } => call!(new_connection, c),
            C::DownstreamData { context: c, size, end } => {
                call!(downstream_data, (c, size, end.into()))
            }
            C::DownstreamClose { context: c, peer } => call!(downstream_close, (c, peer)),
            C::UpstreamData { context: c, size, end } => {
                call!(upstream_data, (c, size, end.into()))
            }
            C::UpstreamClose { context: c, peer } => call!(upstream_close, (c, peer)),
            C::ForeignFunction { context: c, function, size } => {
                call!(foreign_function, (c, function, size))
            }
            C::Log { context: c } => call!(log, c),
            C::Done { context: c } => call!(done, c),
            C::Delete { context: c } => call!(delete, c),
        }
    }
}

/// What an export returns, as the number that the host acts on.
trait Answer {
    fn number(self) -> Option<u32>;
}

impl Answer for u32 {
    fn number(self) -> Option<u32> {
        Some(self)
    }
}

impl Answer for () {
    fn number(self) -> Option<u32> {
        Some(1)
    }
}
