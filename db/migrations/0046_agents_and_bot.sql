-- Provisioning's last steps, where a file declares them: agents, who of them sees the website inbox, and a bot.

alter table wootstream.provisioning drop constraint provisioning_step_check, add constraint provisioning_step_check check (step in
  ('user', 'account', 'member', 'inbox', 'attributes', 'labels', 'webhook', 'agents', 'members', 'bot', 'store', 'events'));
