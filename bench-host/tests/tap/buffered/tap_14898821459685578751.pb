
—
Õ


:authorityapi.example.com

:path	/trailers

:methodPOST

:schemehttp

trailerx-sum

x-forwarded-protohttp
'
x-envoy-expected-rq-timeout-ms15000
firstsecond
x-sum11"ûŠˆØË¯¾¼

:status200

trailerserver-timing
"
x-envoy-upstream-service-time0
%
dateSat, 21 Nov 2026 20:56:27 GMT

serverenvoy
hello
server-timingrender;dur=3"ûŠˆØˆÓ£