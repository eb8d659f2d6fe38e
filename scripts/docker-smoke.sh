#!/usr/bin/env bash
# The test servers' Docker road, on a real engine: the one that answers, or else a private one that ends with this script.
# Prints why where there can be none; fails only where a test does.
set -euo pipefail
cd "$(dirname "$0")/.."

did_not_run() {
  echo "docker smoke test: DID NOT RUN: $*"
  exit 0
}

smoke() {
  npx --yes pnpm@10 --silent --filter @rds-iam/test-servers run docker-smoke
  # Whole logins, against servers that vitest's setups took from Docker.
  npx --yes pnpm@10 exec vitest run --project all packages/pg/test/login.test.ts
  npx --yes pnpm@10 exec vitest run --project mysql packages/mysql2/test/login.test.ts
  echo "docker smoke test: passed in $SECONDS s"
}

if docker info >/dev/null 2>&1; then
  smoke
  exit
fi

[ "$(id -u)" = 0 ] || did_not_run 'no Docker engine answers, and only root can start one'
[ "$(. /etc/os-release && echo "$ID")" = debian ] || did_not_run 'no Docker engine answers, and this is not Debian'
[ -d /run/systemd/system ] && did_not_run 'no Docker engine answers; to install one here would make it a service'

work=$(mktemp -d)
engine=
our_policy=
forward_policy=
clean_up() {
  # TERM also ends the containers, and the engine's own containerd.
  if [ -n "$engine" ]; then kill "$engine" 2>/dev/null && wait "$engine" || true; fi
  # An engine leaves its bridge and its packet filter rules behind.
  if [ -n "$forward_policy" ]; then
    # shellcheck disable=SC2086 # it is several words
    { iptables-save | grep -vi docker | iptables-restore && iptables $forward_policy && ip link delete docker0; } || true
  fi
  if [ -n "$our_policy" ]; then rm -f /usr/sbin/policy-rc.d; fi
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if ! command -v dockerd >/dev/null || ! command -v debootstrap >/dev/null; then
  echo 'docker smoke test: installing docker.io and debootstrap with apt-get'
  # The programs only: without this the engine would start as a service, too.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    our_policy=yes
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
  fi
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends docker.io debootstrap; } \
    >"$work/apt.log" 2>&1 || did_not_run "apt-get cannot install docker.io: $(tail -1 "$work/apt.log")"
fi

[ -e /sys/class/net/docker0 ] || forward_policy=$(iptables -S FORWARD | head -1) || true
export DOCKER_HOST="unix://$work/docker.sock"
# An end of this script that no trap sees takes the engine down as well.
setpriv --pdeathsig TERM dockerd --host "$DOCKER_HOST" --data-root "$work/data" --exec-root "$work/run" \
  --pidfile "$work/dockerd.pid" >"$work/dockerd.log" 2>&1 &
engine=$!
for _ in $(seq 60); do
  docker info >/dev/null 2>&1 && break
  kill -0 "$engine" 2>/dev/null || break
  sleep 0.5
done
docker info >/dev/null 2>&1 || did_not_run "dockerd does not start here: $(tail -1 "$work/dockerd.log")"

if timeout 60 docker pull -q redis:8 >/dev/null 2>&1; then
  smoke
  exit
fi

echo 'docker smoke test: no image can be pulled; making them with debootstrap'
mirror=$(apt-get indextargets --format '$(SITE)' 'Origin: Debian' 'Component: main' | head -1)
root="$work/root"
debootstrap --variant=minbase --include=postgresql,mariadb-server-core,mariadb-client-core,redis-server \
  "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" "$mirror" >"$work/debootstrap.log" 2>&1 ||
  did_not_run "debootstrap failed: $(tail -1 "$work/debootstrap.log")"

# What the official images' entry points do with the settings that we give them.
cat >"$root/postgres.sh" <<'ENTRY'
#!/bin/bash -e
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
as_postgres='setpriv --reuid=postgres --regid=postgres --clear-groups'
install -d -o postgres /data
$as_postgres initdb --pgdata=/data --auth="$POSTGRES_HOST_AUTH_METHOD" --no-sync
echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >>/data/pg_hba.conf
exec $as_postgres "$@" -D /data -c 'listen_addresses=*'
ENTRY
cat >"$root/mariadb.sh" <<'ENTRY'
#!/bin/bash -e
install -d -o nobody /data
mariadb-install-db --no-defaults --user=nobody --datadir=/data --auth-root-authentication-method=normal
printf "create user root@'%%';\ngrant all on *.* to root@'%%' with grant option;\n" >/init.sql
exec mariadbd --no-defaults --user=nobody --datadir=/data --socket=/data/socket --init-file=/init.sql "$@"
ENTRY
chmod +x "$root"/*.sh
rm -rf "$root/var/cache/apt" "$root/var/lib/apt/lists" "$root/usr/share/doc" "$root/usr/share/locale"
tar -C "$root" -c . | docker import - rds-iam-smoke/base >/dev/null
rm -rf "$root"
for name in postgres mariadb; do
  printf 'FROM rds-iam-smoke/base\nENTRYPOINT ["/%s.sh"]\n' "$name" |
    DOCKER_BUILDKIT=0 docker build --quiet --network host --tag "rds-iam-smoke/$name" - >/dev/null 2>&1
done

export TEST_POSTGRES_IMAGE=rds-iam-smoke/postgres TEST_MYSQL_IMAGE=rds-iam-smoke/mariadb TEST_REDIS_IMAGE=rds-iam-smoke/base
# The image of testcontainers' reaper cannot be pulled either; the engine's end is the containers' end.
export TESTCONTAINERS_RYUK_DISABLED=true
smoke
