-- What an ingress accepted and Kafka does not have yet: it waits on the disk of that ingress, and the audit says so.

create table wootstream.spooled (
  file text primary key,
  host text not null,
  directory text not null,
  records bigint not null check (records > 0),
  oldest_at timestamptz not null,
  moved_at timestamptz not null default now(),
  told_at timestamptz not null default now()
);
comment on table wootstream.spooled is 'Accepted records that wait for Kafka, by the spool file that holds them, as the ingress beside it last told. Nothing of the records themselves.';
comment on column wootstream.spooled.oldest_at is 'When the oldest of them was accepted.';
comment on column wootstream.spooled.moved_at is 'Since when that one has been the oldest: as long as the file is drained, this moves.';
comment on column wootstream.spooled.told_at is 'When an ingress last said so. It says so every ten seconds while anything waits.';
grant select, insert, update, delete on wootstream.spooled to wootstream_ingress;
grant select, delete on wootstream.spooled to wootstream_service;
