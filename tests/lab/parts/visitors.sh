# shellcheck shell=sh
# Usage: visitors COUNT HOST URL. So many visitors ask for a page, and again as soon as they have it.
for number in $(seq "$1"); do
  (sleep "0.$number"; while :; do curl -so /dev/null -H "Host: $2" "$3"; sleep 0.05; done) &
done
wait
