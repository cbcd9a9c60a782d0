#!/bin/sh
# Colourises a photograph through TensorFlow Serving's REST API, with curl.
#
#   curl.sh PHOTO OUT_PREFIX [SEED]
#
# Writes OUT_PREFIX_00.png (the safest colours), OUT_PREFIX_01.png and so on.
# Environment variables:
#   URL    address of the server (default: http://127.0.0.1:8501)
#   MODEL  tfdivcolor, tfdivcolor/labels/stable or tfdivcolor/versions/1
#          (default: tfdivcolor, the newest version)
#   KEY    API key for the proxy; CURL_CA_BUNDLE names its certificate
set -eu

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
  echo "usage: curl.sh PHOTO OUT_PREFIX [SEED]" >&2
  exit 2
fi
photo=$1 out=$2 seed=${3:-0}
url=${URL:-http://127.0.0.1:8501}/v1/models/${MODEL:-tfdivcolor}:predict
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# Bytes travel as base64. The row format repeats every input in each row.
request() {
  printf '{"signature_name": "colorize", "instances": [{"image_bytes": {"b64": "'
  base64 < "$photo" | tr -d '\n'
  printf '"}, "seed": %s, "temperature": 0.5}]}' "$seed"
}

[ -f "$photo" ] || { echo "curl.sh: PHOTO: must be a file" \
  "(received $photo)" >&2; exit 1; }
code=$(request | curl --silent --show-error --max-time 60 --output "$answer" \
  --header 'Content-Type: application/json' ${KEY:+--header "X-Api-Key: $KEY"} \
  --data-binary @- --write-out '%{http_code}' "$url") || exit 1
if [ "$code" != 200 ]; then
  echo "curl.sh: $url: HTTP $code: $(cat "$answer")" >&2
  exit 1
fi

# {"predictions": [{"colorized_bytes": [{"b64": "..."}, ...], ...}]}
rank=0
for picture in $(grep -o '"b64": *"[^"]*"' "$answer" | cut -d '"' -f 4); do
  name=$(printf '%s_%02d.png' "$out" "$rank")
  printf '%s' "$picture" | base64 -d > "$name"
  echo "$name"
  rank=$((rank + 1))
done
