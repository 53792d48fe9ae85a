-- Of a file's lines about the same thing and moment the one that was read last counts: it is the corrected one. By their
-- ids, which are hashes, it was chance. What was read before has no moment here, and any line that is read later wins.
alter table wootstream.shop_facts add column read_at timestamptz;
comment on column wootstream.shop_facts.read_at is 'When a file was read that says it; null for what the shop itself tells.';
