#!/bin/sh
# Make the secrets that compose.yaml names from the examples beside this file, with random passwords.
# What exists is never overwritten: the stores keep the passwords of their first start.
set -eu
cd "$(dirname "$0")"

there= missing=
for example in *.example; do
  name=${example%.example}
  if [ -e "$name" ]; then there="$there $name"; else missing="$missing $name"; fi
done
if [ -z "$missing" ]; then
  echo "all secrets are there already, nothing done"
  exit 0
fi
if [ -n "$there" ]; then
  echo "there already:$there, but missing:$missing. They share passwords: write the missing ones by hand" >&2
  echo "after their .example, or remove the others (and the volumes made with them) and run this again." >&2
  exit 1
fi

password() { od -An -N 24 -t x1 /dev/urandom | tr -d ' \n'; }

root=$(password) mongo=$(password) redis=$(password)
# Containers get single files of this folder and read them as other users, so the files are readable
# for all; on this machine only the owner can enter the folder.
umask 077
chmod 700 .
for name in $missing; do
  sed -e "s/ROOT_PASSWORD/$root/" -e "s/MONGO_PASSWORD/$mongo/" -e "s/REDIS_PASSWORD/$redis/" \
    "$name.example" > "$name"
  chmod 444 "$name"
done
echo "made:$missing"
