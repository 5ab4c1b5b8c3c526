
Ê
Ë


:authorityapi.example.com

:path/none

:methodDELETE

:schemehttp


user-agentexample

accept*/*

x-forwarded-protohttp
'
x-envoy-expected-rq-timeout-ms15000"ûŠˆØè˜z

:status204
"
x-envoy-upstream-service-time0
%
dateSat, 21 Nov 2026 20:56:27 GMT

serverenvoy"ûŠˆØ°§¬