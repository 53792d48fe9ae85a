-- What the doors turned away, counted by each ingress process every few seconds: for `wootstream tail --refused`.

create table wootstream.refusals (
  id bigint generated always as identity primary key,
  door text not null,
  reason text not null,
  organization_id uuid, -- null: the request names no store that exists
  count integer not null check (count > 0),
  last_at timestamptz not null
);
comment on table wootstream.refusals is 'How often each door refused, why, and when last. Nothing of the requests themselves.';
call wootstream.protect('wootstream.refusals');
create policy unknown_store on wootstream.refusals to wootstream_service, wootstream_privacy
  using (organization_id is null) with check (organization_id is null);
create policy doors on wootstream.refusals to wootstream_ingress using (true) with check (true);
grant insert, delete on wootstream.refusals to wootstream_ingress;
grant select (id) on wootstream.refusals to wootstream_ingress; -- what the trimming looks at
grant select on wootstream.refusals to wootstream_service;
grant select, delete on wootstream.refusals to wootstream_privacy;
