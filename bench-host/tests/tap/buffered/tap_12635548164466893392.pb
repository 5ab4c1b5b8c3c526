
½
ò


:authorityapi.example.com

:path/big

:methodPOST

:schemehttp


user-agentexample

accept*/*

content-length100
1
content-type!application/x-www-form-urlencoded

x-forwarded-protohttp
'
x-envoy-expected-rq-timeout-ms15000^
Zxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"ûŠˆØà„ˆÅ

:status200

content-type
text/plain

content-length21
"
x-envoy-upstream-service-time5
%
dateSat, 21 Nov 2026 20:56:27 GMT

serverenvoy
got 100 bytes of POST"ûŠˆØ˜ÞéŸ