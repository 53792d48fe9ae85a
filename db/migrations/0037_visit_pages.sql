-- How many pages a visit had: the moments at which each was viewed, for what is a set does not grow when it comes again.

alter table wootstream.visits add column viewed bigint[] not null default '{}';
comment on column wootstream.visits.viewed is
  'When a page was viewed, in milliseconds since 1970, the first 1,000 of the visit; from the visitor''s browser, to tell agents how many; kept as long as the visit.';
