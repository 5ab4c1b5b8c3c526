//! The tables of `docs/from-go.md` have every name of the Go SDK. That our names are there is
//! checked by rustdoc, which includes the page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use chunkwise_tests::root;

/// Names of `pkg/wrapper`: registration and its options.
const REGISTRATION: &str = "
    SetCtx SetCtxWithOptions
    ParseConfig ParseConfigBy ParseConfigWithContext ParseRawConfig
    ParseOverrideConfig ParseOverrideConfigBy ParseOverrideRawConfig
    ProcessRequestHeaders ProcessRequestHeadersBy ProcessResponseHeaders ProcessResponseHeadersBy
    ProcessRequestBody ProcessRequestBodyBy ProcessResponseBody ProcessResponseBodyBy
    ProcessStreamingRequestBody ProcessStreamingRequestBodyBy
    ProcessStreamingResponseBody ProcessStreamingResponseBodyBy
    ProcessStreamDone ProcessStreamDoneBy
    WithLogger EnableSafeLog WithRebuildAfterRequests WithRebuildMaxMemBytes
    WithMaxRequestsPerIoCycle PrePluginStartOrReload";

/// Methods of `HttpContext` (`pkg/iface`).
const HTTP_CONTEXT: &str = "
    Scheme Host Path Method
    SetContext GetContext GetBoolContext GetStringContext GetByteSliceContext
    GetUserAttribute SetUserAttribute SetUserAttributeMap GetUserAttributeMap
    WriteUserAttributeToLog WriteUserAttributeToLogWithKey WriteUserAttributeToTrace
    DontReadRequestBody DontReadResponseBody BufferRequestBody BufferResponseBody
    NeedPauseStreamingResponse PushBuffer PopBuffer BufferQueueSize
    DisableReroute SetRequestBodyBufferLimit SetResponseBodyBufferLimit
    RouteCall GetExecutionPhase HasRequestBody HasResponseBody
    IsWebsocket IsBinaryRequestBody IsBinaryResponseBody";

/// Methods of `PluginContext`; those that `HttpContext` has as well with its name in front.
const PLUGIN_CONTEXT: &str = "
    PluginContext.SetContext PluginContext.GetContext
    EnableRuleLevelConfigIsolation IsRuleLevelConfigIsolation
    GetFingerPrint DoLeaderElection IsLeader";

/// Functions of `pkg/wrapper`.
const FUNCTIONS: &str = "
    GetRequestScheme GetRequestHost GetRequestPath GetRequestPathWithoutQuery GetRequestMethod
    IsApplicationJson IsResponseFromUpstream UnmarshalStr MarshalStr GetPluginFingerPrint
    GetValueFromBody UnifySSEChunk RegisterTickFunc HttpCall
    NewClusterClient NewRedisClusterClient RedisCall";

/// Functions of `proxywasm`.
const HOST_CALLS: &str = "
    GetVMConfiguration GetPluginConfiguration SetTickPeriodMilliSeconds SetEffectiveContext
    RegisterSharedQueue ResolveSharedQueue EnqueueSharedQueue DequeueSharedQueue PluginDone
    RedisInit DispatchRedisCall GetRedisCallResponse
    DispatchHttpCall GetHttpCallResponseHeaders GetHttpCallResponseBody GetHttpCallResponseTrailers
    InjectEncodedDataToFilterChain GetUpstreamHosts SetUpstreamOverrideHost
    GetDownstreamData AppendDownstreamData PrependDownstreamData ReplaceDownstreamData
    GetUpstreamData AppendUpstreamData PrependUpstreamData ReplaceUpstreamData
    ContinueTcpStream CloseDownstream CloseUpstream
    SendHttpResponse SendHttpResponseWithDetail
    GetSharedData SetSharedData GetProperty GetPropertyMap SetProperty CallForeignFunction
    LogTrace LogTracef LogDebug LogDebugf LogInfo LogInfof
    LogWarn LogWarnf LogError LogErrorf LogCritical LogCriticalf
    DefineCounterMetric DefineGaugeMetric DefineHistogramMetric
    MetricCounter.Value MetricCounter.Increment MetricGauge.Value MetricGauge.Add
    MetricHistogram.Value MetricHistogram.Record";

/// Functions of `proxywasm` of which there is one for requests and one for responses.
const BOTH_WAYS: &str = "
    GetHttp*Headers ReplaceHttp*Headers
    GetHttp*Header RemoveHttp*Header ReplaceHttp*Header AddHttp*Header
    GetHttp*Body AppendHttp*Body PrependHttp*Body ReplaceHttp*Body
    GetHttp*Trailers ReplaceHttp*Trailers
    GetHttp*Trailer RemoveHttp*Trailer ReplaceHttp*Trailer AddHttp*Trailer
    ResumeHttp*";

#[test]
fn every_name_of_the_go_sdk_is_in_the_tables_once() {
    let mut names: BTreeSet<String> =
        [REGISTRATION, HTTP_CONTEXT, PLUGIN_CONTEXT, FUNCTIONS, HOST_CALLS]
            .iter()
            .flat_map(|names| names.split_whitespace().map(str::to_owned))
            .collect();
    for name in BOTH_WAYS.split_whitespace() {
        names.extend(["Request", "Response"].map(|way| name.replace('*', way)));
    }
    let page = fs::read_to_string(root().join("docs/from-go.md")).unwrap();
    let (tables, _) = page.split_once("## Other packages").unwrap();
    let mut rows: BTreeMap<&str, u32> = BTreeMap::new();
    for line in tables.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [go, ours, note] = cells[..] else { panic!("{line}") };
        *rows.entry(go.trim_matches('`')).or_default() += 1;
        assert!(ours.contains("[`chunkwise::") || ours == "–", "our name is no link: {line}");
        assert!(ours != "–" || !note.is_empty(), "nothing says why there is none: {line}");
    }
    let listed: BTreeSet<String> = rows.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(names.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "missing");
    assert_eq!(listed.difference(&names).collect::<Vec<_>>(), Vec::<&String>::new(), "unknown");
    assert!(rows.values().all(|count| *count == 1), "{rows:?}");
}
