#!/usr/bin/env bash
# Once, when the database is made: the logins of the services and of Grafana, which are no administrators. Migrations fill
# their roles.
set -euo pipefail
psql --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=wootstream \
  --set=password="$(cat /run/secrets/service_password)" --set=dashboards="$(cat /run/secrets/dashboards_password)" <<'SQL'
create role wootstream_ingress nologin;
create role wootstream_service nologin;
create role wootstream_privacy nologin;
create role authenticated nologin;
create role wootstream_dashboards login connection limit 10 password :'dashboards';
alter role wootstream_dashboards set statement_timeout = '10s';
create role wootstream login noinherit password :'password';
grant wootstream_ingress, wootstream_service, wootstream_privacy, authenticated to wootstream;
SQL
