-- A conversation with more open facts than are read at once is kept and no longer reckoned: until now the log alone said so.
alter table wootstream.conversations add column not_reckoned_since timestamptz;
comment on column wootstream.conversations.not_reckoned_since is 'Its figures stand still since then: it has too many open facts. Null where they are reckoned.';
