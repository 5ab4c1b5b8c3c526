
í
£

:methodPOST

:path/h2?x=1

:schemehttp


:authorityapi.example.com


user-agentexample

accept*/*

content-length11
1
content-type!application/x-www-form-urlencoded

x-forwarded-protohttp
'
x-envoy-expected-rq-timeout-ms15000
over http/2"úŠˆØøª“­Ä

:status200

content-type
text/plain

content-length20
"
x-envoy-upstream-service-time0
%
dateSat, 21 Nov 2026 20:56:26 GMT

serverenvoy
got 11 bytes of POST"úŠˆØøµ¹­