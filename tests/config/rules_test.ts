import assert from "node:assert/strict";
import { MAX_CONTENT_BYTES, serverUrl } from "../../lib/config/rules.ts";
import { encodeMessage, MAX_LINE_BYTES, utf8Length } from "../../lib/wire/message.ts";

Deno.test("the longest content fits a line, however much of it has to be escaped", () => {
  const line = encodeMessage({
    from: '"'.repeat(32),
    content: "\u0001".repeat(MAX_CONTENT_BYTES),
    timestamp: 253_402_300_799,
  });
  const length = utf8Length(line);
  assert.ok(length <= MAX_LINE_BYTES, `${length}`);
  // Room for fields that later versions add, but no more than that.
  assert.ok(length > MAX_LINE_BYTES - 1100, `${length}`);
});

Deno.test("a server's URL may have any host, port and path", () => {
  for (
    const url of [
      "ws://localhost:8080",
      "wss://chat.example",
      "WSS://Chat.Example/a/b?c=d",
      "ws://127.0.0.1:1",
      "ws://[::1]:65535/",
      "ws://münchen.example",
    ]
  ) assert.ok(serverUrl.accepts(url), url);
  for (
    const url of [
      "ws://",
      "ws:/a",
      "ws://a:b",
      "wss://a\tb",
      "ws://[::1",
      "ftp://a",
      "ws://" + "a".repeat(2048),
    ]
  ) {
    assert.ok(!serverUrl.accepts(url), url);
  }
});
