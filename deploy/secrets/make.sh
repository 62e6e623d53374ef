#!/bin/sh
# Make the secrets that compose.yaml names: random passwords, and in the folder access what gRPC needs
# to know its callers and to be known by them. What exists is never overwritten: the stores keep the
# passwords of their first start.
#
#   sh deploy/secrets/make.sh [NAME…]          make what is missing; NAME: further hosts of the certificate
#   sh deploy/secrets/make.sh renew [NAME…]    make a new certificate by the same authority, for the names
#                                              of the one before, or for these
#
# NAMESPACE is the Kubernetes namespace in the names of the certificate (default).
set -eu
cd "$(dirname "$0")"

DAYS=825 AUTHORITY_DAYS=3650
DIGITS=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz

fail() { echo "$*" >&2; exit 1; }

hex() { od -An -N "$1" -t x1 /dev/urandom | tr -d ' \n'; }

# Move a finished file into its place, so that a service that reads it sees the old one or the new one.
put() { chmod "$2" "$work/$1"; mv "$work/$1" "${3:-.}/$1"; }

# --- passwords ---------------------------------------------------------------------------------------

make_passwords() {
  there='' missing=''
  for example in *.example; do
    name=${example%.example}
    if [ -e "$name" ]; then there="$there $name"; else missing="$missing $name"; fi
  done
  if [ -z "$missing" ]; then return; fi
  if [ -n "$there" ]; then
    echo "there already:$there, but missing:$missing. They share passwords: write the missing ones by hand" >&2
    echo "after their .example, or remove the others (and the volumes made with them) and run this again." >&2
    exit 1
  fi
  root=$(hex 24) mongo=$(hex 24) redis=$(hex 24)
  # Containers get single files of this folder and read them as other users, so the files are readable
  # for all; on this machine only the owner can enter the folder.
  for name in $missing; do
    sed -e "s/ROOT_PASSWORD/$root/" -e "s/MONGO_PASSWORD/$mongo/" -e "s/REDIS_PASSWORD/$redis/" \
      "$name.example" > "$work/$name"
    put "$name" 444
  done
  made="$made$missing"
}

# --- certificate -------------------------------------------------------------------------------------

# Write the hosts of the certificate as one line of OpenSSL's configuration.
write_names() {
  namespace=${NAMESPACE:-default}
  names="DNS:localhost,IP:127.0.0.1,IP:::1,DNS:gcsched,DNS:gcsched.$namespace"
  names="$names,DNS:gcsched.$namespace.svc,DNS:gcsched.$namespace.svc.cluster.local"
  for name in "$@"; do
    case $name in
      *[!A-Za-z0-9.:*-]*|'') fail "invalid name '$name': give host names and IP addresses" ;;
      *:*) names="$names,IP:$name" ;;
      *[!0-9.]*) names="$names,DNS:$name" ;;
      *) names="$names,IP:$name" ;;
    esac
  done
  echo "$names" > "$work/tls.names"
}

write_configuration() {
  cat > "$work/openssl.cnf" <<END
[req]
distinguished_name = subject
prompt = no
[subject]
CN = gcsched
[authority]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $(cat "$work/tls.names")
END
}

make_authority() {
  openssl ecparam -name prime256v1 -genkey -noout -out "$work/ca.key"
  openssl req -new -x509 -sha256 -days "$AUTHORITY_DAYS" -config "$work/openssl.cnf" \
    -extensions authority -subj "/CN=gcsched authority $(hex 4)" -key "$work/ca.key" -out "$work/ca.pem"
  put ca.key 400
  put ca.pem 444
  made="$made ca.key ca.pem"
}

make_certificate() {
  openssl ecparam -name prime256v1 -genkey -noout -out "$work/tls.key"
  openssl req -new -sha256 -config "$work/openssl.cnf" -key "$work/tls.key" -out "$work/request"
  openssl x509 -req -sha256 -days "$DAYS" -in "$work/request" -CA ca.pem -CAkey ca.key \
    -set_serial "0x4$(hex 15)" -extfile "$work/openssl.cnf" -extensions server \
    -out "$work/tls.crt" 2> "$work/log" || { cat "$work/log" >&2; exit 1; }
  put tls.key 444 access
  put tls.crt 444 access
  put tls.names 444
  made="$made access/tls.key access/tls.crt"
}

# --- clients -----------------------------------------------------------------------------------------

# Print the CRC-32 of $1, which ends a gzip file, in 6 digits of base 62.
check_characters() {
  # shellcheck disable=SC2046 # four numbers
  set -- $(printf %s "$1" | gzip -c | tail -c 8 | od -An -N 4 -t u1)
  number=$(($1 + $2 * 256 + $3 * 65536 + $4 * 16777216)) written=''
  for _ in 1 2 3 4 5 6; do
    digit=$((number % 62 + 1)) number=$((number / 62))
    written=$(printf %s "$DIGITS" | cut -c "$digit")$written
  done
  printf %s "$written"
}

a_year_from_now() {
  year=$(date -u +%Y) rest=$(date -u +%m-%dT%H:%M:%SZ)
  case $rest in 02-29*) rest=02-28${rest#02-29} ;; esac
  echo "$((year + 1))-$rest"
}

make_clients() {
  id=$(LC_ALL=C tr -dc a-z0-9 < /dev/urandom | head -c 8)
  secret=$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=\n')
  token="gcs_${id}_$secret"
  printf '%s%s\n' "$token" "$(check_characters "$token")" > "$work/operator.token"
  cat > "$work/clients.toml" <<END
# The clients that may call gcsched. \`gcsched token\` adds clients and tokens.

[clients.operator]
scopes = ["admin"]
note = "made by deploy/secrets/make.sh, its token is in operator.token"

[[clients.operator.tokens]]
id = "$id"
sha256 = "$(printf %s "$secret" | openssl dgst -sha256 | sed 's/.*= *//')"
created = $(date -u +%Y-%m-%dT%H:%M:%SZ)
expires = $(a_year_from_now)
END
  put operator.token 444 access
  put clients.toml 644 access
  made="$made access/clients.toml access/operator.token"
}

# -----------------------------------------------------------------------------------------------------

command -v openssl > /dev/null || fail "openssl is missing: install it and run this again"
umask 077
chmod 700 .
made=''
# The container gets this folder, because Docker goes on showing a single file that was replaced.
mkdir -p access
chmod 755 access
work=$(mktemp -d ./.new.XXXXXX)
trap 'rm -rf "$work"' EXIT

if [ "${1:-}" = renew ]; then
  shift
  if [ ! -e ca.key ] || [ ! -e ca.pem ]; then
    fail "ca.key and ca.pem are not both here, and callers trust no other authority: bring them back"
  fi
  if [ $# = 0 ] && [ -e tls.names ]; then cp tls.names "$work"; else write_names "$@"; fi
  write_configuration
  make_certificate
else
  make_passwords
  if [ ! -e access/tls.crt ] || [ ! -e access/tls.key ]; then
    write_names "$@"
    write_configuration
    if [ ! -e ca.key ] || [ ! -e ca.pem ]; then make_authority; fi
    make_certificate
  fi
  if [ ! -e access/clients.toml ]; then make_clients; fi
fi
if [ -n "$made" ]; then echo "made:$made"; else echo "all secrets are there already, nothing done"; fi
