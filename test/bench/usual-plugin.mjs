// What people write first: it fetches in `message_received`, and sends what the backend answers. Read by the bench alone (gateway.ts).
const { SHOP_URL, SHOP_TOKEN } = process.env;

export default {
  id: "usual-shop",
  register(api) {
    // The turn is ours: no model answers.
    api.on("reply_dispatch", () => ({ handled: true, queuedFinal: true, counts: { tool: 0, block: 0, final: 0 } }));

    api.on("message_received", async (event, ctx) => {
      if (ctx.channelId !== "whatsapp") return;
      try {
        const response = await fetch(SHOP_URL, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${SHOP_TOKEN}` },
          body: JSON.stringify({
            message_id: event.messageId,
            chat_id: ctx.conversationId,
            from: event.metadata?.senderE164,
            text: event.content,
            timestamp: event.timestamp,
          }),
        });
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
        const { commands } = await response.json();
        if (commands.length === 0) return;
        const whatsapp = await api.runtime.channel.outbound.loadAdapter("whatsapp");
        for (const { text } of commands) {
          const cfg = api.runtime.config.current();
          await whatsapp.sendText({ cfg, to: ctx.conversationId, text, accountId: ctx.accountId });
        }
      } catch (error) {
        api.logger.error(`shop: ${error.message}`);
      }
    });
  },
};
