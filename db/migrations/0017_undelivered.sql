-- What an ingress accepted and Kafka refuses for good: it lies set aside beside the spool, and the audit names it.

create table wootstream.undelivered (
  file text not null,
  topic text not null, -- empty: damaged, so nobody can read where it was to go
  reason text not null,
  host text not null,
  directory text not null,
  records bigint not null check (records > 0),
  oldest_at timestamptz not null,
  noticed_at timestamptz not null default now(),
  primary key (file, topic, reason)
);
comment on table wootstream.undelivered is 'Accepted records that no topic takes, by the spool file that holds them. Nothing of the records themselves.';
comment on column wootstream.undelivered.oldest_at is 'When the oldest of them was accepted.';
grant select, insert, update, delete on wootstream.undelivered to wootstream_ingress;
grant select, delete on wootstream.undelivered to wootstream_service;
