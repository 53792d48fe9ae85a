# Posts the requests of the files named, with curl.
for file; do
  set --
  { read -r url; while read -r line && [ -n "$line" ]; do set -- "$@" -H "$line"; done; } < "$file"
  head=$(grep -n -m 1 '^$' "$file"); tail -n +$((${head%:} + 1)) "$file" \
    | curl -sS -o /dev/null -w '%{http_code}\n' --data-binary @- "$@" "$url"
done
