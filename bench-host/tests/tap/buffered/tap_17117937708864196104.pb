

Ç


:authorityapi.example.com

:path/sse

:methodGET

:schemehttp


user-agentexample

accept*/*

x-forwarded-protohttp
'
x-envoy-expected-rq-timeout-ms15000"úŠˆØàå«ÉÑ

:status200
!
content-typetext/event-stream
"
x-envoy-upstream-service-time0
%
dateSat, 21 Nov 2026 20:56:26 GMT

serverenvoy2
0data: {"n": 0}

data: {"n": 1}

data: {"n": 2}

"úŠˆØØíÅÉ