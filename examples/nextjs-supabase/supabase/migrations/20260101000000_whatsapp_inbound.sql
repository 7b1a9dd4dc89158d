-- One row a message: its key, and the answer that this key has for ever.
create table whatsapp_inbound (
  message_id text primary key,
  -- Of the message without its files' bytes: they can be missing the second time (docs/contract, "Attachments").
  content_sha256 text not null,
  chat_id text not null,
  request jsonb not null,
  answer jsonb,
  received_at timestamptz not null default now()
);

create index whatsapp_inbound_of_chat on whatsapp_inbound (chat_id, received_at);

-- The anon key of a Supabase project is public. Without a policy it reads nothing; the server's role goes past this.
alter table whatsapp_inbound enable row level security;
