#!/usr/bin/env bash
# Once, when the database is made: the login of the services, which is no administrator. Migrations fill its roles.
set -euo pipefail
psql --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=wootstream \
  --set=password="$(cat /run/secrets/service_password)" <<'SQL'
create role wootstream_ingress nologin;
create role wootstream_service nologin;
create role wootstream_privacy nologin;
create role authenticated nologin;
create role wootstream login noinherit password :'password';
grant wootstream_ingress, wootstream_service, wootstream_privacy, authenticated to wootstream;
SQL
