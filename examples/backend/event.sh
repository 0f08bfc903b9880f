#!/bin/sh
# Sends the event that rtmp-server would send, and shows the answer:
#
#	JWT_SECRET=... ./event.sh start CHANNEL KEY [URL]
#	JWT_SECRET=... ./event.sh stop CHANNEL KEY [URL]
#
# For tests only: openssl gets the secret as an argument, which other users of
# the machine can see.
set -eu

usage="usage: JWT_SECRET=... $0 start|stop CHANNEL KEY [URL]"
event=${1:?$usage} channel=${2:?$usage} key=${3:?$usage} url=${4:-http://127.0.0.1:8090/}

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

header=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url)
claims=$(printf '{"sub":"rtmp_event","event":"%s","channel":"%s","key":"%s","client_ip":"192.0.2.1","exp":%d}' \
	"$event" "$channel" "$key" $(($(date +%s) + 120)) | base64url)
signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -hmac "${JWT_SECRET:?$usage}" -binary | base64url)

curl --silent --show-error --include --request POST --header "rtmp-event: $header.$claims.$signature" "$url"
