-- One log of who did what: what changed something, and what showed a person's data. It only grows: no service may change
-- or delete a row, nor may whoever forgets people, for it holds none of their data. Its owner trims it.

alter table wootstream.access_log rename to audit_log;
alter index wootstream.access_log_pkey rename to audit_log_pkey;
alter index wootstream.access_log_store rename to audit_log_store;
alter table wootstream.audit_log add column source text not null default 'cli';
comment on table wootstream.audit_log is 'Who changed something or was shown personal data, when, from where, and of which record; never the data itself.';
comment on column wootstream.audit_log.source is 'Where the request came from: a machine''s command line, or an address.';
create index audit_log_at on wootstream.audit_log (at);
revoke update, delete, truncate on wootstream.audit_log from wootstream_ingress, wootstream_service, wootstream_privacy;
