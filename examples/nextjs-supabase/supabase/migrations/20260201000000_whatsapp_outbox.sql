-- What the shop sends without being asked, in the order in which the bridge takes it.
create table whatsapp_outbox (
  position bigint primary key generated always as identity,
  command_id uuid not null unique default gen_random_uuid(),
  -- As the contract has it, with `to` and `transport_session_id`, but without its id.
  command jsonb not null,
  created_at timestamptz not null default now()
);

alter table whatsapp_outbox enable row level security;

-- A position is given when a row is inserted, and seen when its transaction ends. Without the lock 11 could be seen before
-- 10, the bridge would go on behind 11, and nobody would ever send 10. So each waits for the one before it.
create function whatsapp_outbox_in_order() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtext('whatsapp_outbox'));
  new.position := nextval(pg_get_serial_sequence('whatsapp_outbox', 'position'));
  return new;
end $$;

create trigger whatsapp_outbox_in_order before insert on whatsapp_outbox
  for each row execute function whatsapp_outbox_in_order();
