#!/bin/sh
# The three doors by hand: a signed webhook, a page's beacon, a shop's order. Needs curl, openssl and python3, and says
# which store by: ADDRESS STORE SECRET EVENT_SECRET ACCOUNT WEBSITE_TOKEN ORIGIN. Prints the status of each answer.
set -eu

status() { curl --silent --show-error --output /dev/null --write-out '%{http_code}\n' "$@"; }
NOW=$(date +%s)

# Chatwoot's webhook: HMAC over the timestamp, a full stop and the body.
BODY='{"event":"contact_created","id":1,"account":{"id":'$ACCOUNT'},"name":"Jan"}'
SIGNATURE=$(printf '%s.%s' "$NOW" "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1)
status "$ADDRESS/webhooks/chatwoot/$STORE" --header 'content-type: application/json' \
  --header "x-chatwoot-timestamp: $NOW" --header "x-chatwoot-signature: sha256=$SIGNATURE" --data-binary "$BODY"

# A page: configuration and token first, then an event with an id that is a UUIDv7.
TOKEN=$(curl --silent --show-error "$ADDRESS/widget/$WEBSITE_TOKEN/config" --header "origin: $ORIGIN" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
ID=$(python3 -c 'import secrets, time, uuid
print(uuid.UUID(int=int(time.time() * 1000) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)))')
status "$ADDRESS/beacons" --header "origin: $ORIGIN" --header 'content-type: text/plain' --data-binary \
  '{"token":"'"$TOKEN"'","consent":["analytics"],"events":[{"id":"'"$ID"'","event_type":"page_viewed","page_url":"'"$ORIGIN"'/"}]}'

# A shop: Standard Webhooks over id, timestamp and body; the key is what the secret's base64 stands for.
BODY='{"specversion":"1.0","id":"'"$ID"'","source":"/shop","type":"order.placed","time":"'$(date -u +%Y-%m-%dT%H:%M:%SZ)'",
  "data":{"customer_id":"c1","order_id":"o1","amount_minor":245000,"currency":"EUR"}}'
KEY=$(printf '%s' "${EVENT_SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
SIGNATURE=$(printf '%s.%s.%s' msg_1 "$NOW" "$BODY" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary | base64)
status "$ADDRESS/events/$STORE" --header 'content-type: application/cloudevents+json' --header 'webhook-id: msg_1' \
  --header "webhook-timestamp: $NOW" --header "webhook-signature: v1,$SIGNATURE" --data-binary "$BODY"
