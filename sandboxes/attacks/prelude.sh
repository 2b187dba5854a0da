# Put in front of every Bash probe. A probe says how it went and ends; the facts it was given are on its stdin.
broke_out() { printf 'RESULT SUCCESS %s\n' "$*"; exit 0; }
held() { printf 'RESULT BLOCKED %s\n' "$*"; exit 0; }
while IFS='=' read -r name value; do printf -v "$name" '%s' "$value"; done
PATIENCE=${PATIENCE_S%.*}
