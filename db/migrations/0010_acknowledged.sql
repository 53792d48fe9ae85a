-- A process of the ingress lives and dies; its rows are folded when it is dead and another row says as much.
alter table wootstream.acknowledged add column alive_at timestamptz not null default now();
comment on column wootstream.acknowledged.instance is 'One life of one ingress process in one log; ended/CLUSTER sums up those that are dead.';
comment on column wootstream.acknowledged.updated_at is 'When the highest offset was acknowledged, by the clock of the process.';
comment on column wootstream.acknowledged.alive_at is 'When the process last wrote this row; silent for an hour is dead.';
grant delete on wootstream.acknowledged to wootstream_ingress;
