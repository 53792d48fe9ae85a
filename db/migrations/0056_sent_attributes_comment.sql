-- The record of processing reads what a column holds of a person from its comment.
comment on column public.chatwoot_contacts.sent_attributes is 'The attributes that we sent last and Chatwoot acknowledged: what differs from them was changed by somebody else. [personal: attributes of a contact; purpose: tell what agents changed; from: services; kept: until erased; read by: services, operator]';
