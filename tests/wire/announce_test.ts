import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Datagram,
  decodeDatagram,
  encodeDatagram,
  isInstance,
  isVersion,
  MAX_DATAGRAM_BYTES,
} from "../../lib/wire/announce.ts";
import { isPort } from "../../lib/wire/address.ts";
import { isNickname } from "../../lib/wire/nickname.ts";
import { formatPeerId, isPeerId } from "../../lib/wire/peer_id.ts";
import { peerIds, unicode } from "./arbitraries.ts";

const encoder = new TextEncoder();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const instance = "0123456789abcdef";
const id = formatPeerId(new Uint8Array(32).fill(7));

const nicknames = unicode(8).filter(isNickname);
const instances = fc.option(fc.bigInt(0n, 2n ** 64n - 1n), { nil: undefined })
  .map((bits) => bits?.toString(16).padStart(16, "0"));
const ids = fc.option(peerIds, { nil: undefined });
const datagrams: fc.Arbitrary<Datagram> = fc.oneof(
  fc.record({
    type: fc.constant("announce" as const),
    nickname: nicknames,
    tcpPort: fc.integer({ min: 1, max: 65535 }),
    version: fc.integer({ min: 1, max: 65535 }),
    instance: instances,
    ask: fc.boolean(),
    id: ids,
  }),
  fc.record({
    type: fc.constant("goodbye" as const),
    nickname: nicknames,
    instance: instances,
    id: ids,
  }),
);

function decode(json: unknown): Datagram {
  const decoded = decodeDatagram(encoder.encode(JSON.stringify(json)));
  assert.ok(decoded.ok, decoded.ok ? "" : decoded.cause);
  return decoded.value;
}

function cause(input: unknown): string {
  const bytes = input instanceof Uint8Array ? input : encoder.encode(JSON.stringify(input));
  const decoded = decodeDatagram(bytes);
  assert.equal(decoded.ok, false, `${text(bytes).slice(0, 80)} was accepted`);
  return decoded.ok ? "" : decoded.cause;
}

const announce = { type: "announce", nickname: "alice", tcp_port: 54321 };

Deno.test("datagrams of version 1 are written byte for byte as the original writes them", () => {
  const type = "announce";
  assert.equal(
    text(encodeDatagram({ type, nickname: "alice", tcpPort: 54321, version: 1, ask: false })),
    '{"type":"announce","nickname":"alice","tcp_port":54321}',
  );
  assert.equal(
    text(encodeDatagram({ type: "goodbye", nickname: "alice" })),
    '{"type":"goodbye","nickname":"alice"}',
  );
});

Deno.test("fields of version 2 stand behind those of version 1", () => {
  const type = "announce";
  assert.equal(
    text(encodeDatagram({ type, nickname: "ä", tcpPort: 1, version: 2, instance, ask: true })),
    '{"type":"announce","nickname":"ä","tcp_port":1,"version":2,' +
      '"instance":"0123456789abcdef","ask":true}',
  );
  assert.equal(
    text(encodeDatagram({ type: "goodbye", nickname: "a", instance })),
    '{"type":"goodbye","nickname":"a","instance":"0123456789abcdef"}',
  );
  assert.equal(
    text(
      encodeDatagram({ type, nickname: "a", tcpPort: 1, version: 2, instance, ask: true, id }),
    ),
    '{"type":"announce","nickname":"a","tcp_port":1,"version":2,' +
      `"instance":"0123456789abcdef","ask":true,"id":"${id}"}`,
  );
  assert.equal(
    text(encodeDatagram({ type: "goodbye", nickname: "a", instance, id })),
    `{"type":"goodbye","nickname":"a","instance":"0123456789abcdef","id":"${id}"}`,
  );
});

Deno.test("datagrams of version 1 are read", () => {
  assert.deepEqual(decode(announce), {
    type: "announce",
    nickname: "alice",
    tcpPort: 54321,
    version: 1,
    instance: undefined,
    ask: false,
    id: undefined,
  });
  assert.deepEqual(decode({ type: "goodbye", nickname: "alice" }), {
    type: "goodbye",
    nickname: "alice",
    instance: undefined,
    id: undefined,
  });
});

Deno.test("unknown fields of a datagram are ignored", () => {
  assert.deepEqual(decode({ ...announce, color: "red", ids: { x: [] } }), decode(announce));
});

Deno.test("a datagram that was written is read as it was, far below the limit of bytes", () => {
  fc.assert(
    fc.property(datagrams, (datagram) => {
      const bytes = encodeDatagram(datagram);
      assert.ok(bytes.length <= MAX_DATAGRAM_BYTES / 32);
      const decoded = decodeDatagram(bytes);
      assert.ok(decoded.ok);
      assert.deepEqual(decoded.value, { ...datagram });
    }),
    { numRuns: 500 },
  );
});

Deno.test("a datagram that is not valid is refused with what is wrong with it", () => {
  assert.equal(cause(new Uint8Array()), "datagram is not a JSON object");
  assert.equal(cause(Uint8Array.of(0xff, 0xfe)), "datagram is not UTF-8");
  assert.equal(cause(Uint8Array.of(0x22, 0xc3)), "datagram is not UTF-8");
  assert.equal(cause(encoder.encode("\ufeff" + JSON.stringify(announce))), "datagram is not JSON");
  assert.equal(cause(encoder.encode("{\0}")), "datagram is not JSON");
  assert.equal(
    cause(encoder.encode(JSON.stringify(announce).slice(0, -1))),
    "datagram is not a JSON object",
  );
  for (const json of [null, 1, "announce", [], [announce]]) {
    assert.equal(cause(json), "datagram is not a JSON object");
  }
  for (const type of [undefined, null, "", "Announce", "ping", 1, {}, "__proto__"]) {
    assert.equal(cause({ ...announce, type }), "datagram of an unknown type");
  }
  for (const nickname of [undefined, null, 1, "", " a", "x".repeat(33), "a\x1b[2J", "a\u0085"]) {
    assert.equal(cause({ ...announce, nickname }), "datagram without a valid nickname");
    assert.equal(cause({ type: "goodbye", nickname }), "datagram without a valid nickname");
  }
  for (const tcp_port of [undefined, null, 0, -1, 70000, 65536, 1.5, "80", [80]]) {
    assert.equal(cause({ ...announce, tcp_port }), "announce without a valid TCP port");
  }
  for (const version of [null, 0, -1, 1.5, 65536, "2", {}]) {
    assert.equal(cause({ ...announce, version }), "announce with an invalid version");
  }
  for (const it of [null, "", 1, instance.toUpperCase(), instance + "0", instance.slice(1)]) {
    assert.equal(cause({ ...announce, instance: it }), "datagram with an invalid instance");
    assert.equal(
      cause({ type: "goodbye", nickname: "a", instance: it }),
      "datagram with an invalid instance",
    );
  }
  const wrongIds = [
    null,
    1,
    "",
    [id],
    id.toLowerCase(),
    id.replaceAll("-", ""),
    ` ${id}`,
    id.slice(1),
    id.slice(0, 7),
    id.replace(/^./, (first) => first === "A" ? "B" : "A"),
  ];
  for (const it of wrongIds) {
    assert.equal(cause({ ...announce, id: it }), "datagram with an invalid id");
    assert.equal(cause({ type: "goodbye", nickname: "a", id: it }), "datagram with an invalid id");
  }
  for (const ask of [null, 1, "true", {}]) {
    assert.equal(cause({ ...announce, ask }), "announce with an invalid wish for answers");
  }
});

Deno.test("a datagram above the limit is refused whatever it holds", () => {
  const padded = JSON.stringify(announce).padEnd(MAX_DATAGRAM_BYTES, " ");
  assert.ok(decodeDatagram(encoder.encode(padded)).ok);
  assert.equal(cause(encoder.encode(padded + " ")), "datagram above the limit of 8192 bytes");
  assert.equal(cause(new Uint8Array(60_000)), "datagram above the limit of 8192 bytes");
  assert.equal(
    cause(encoder.encode("[".repeat(MAX_DATAGRAM_BYTES))),
    "datagram is not a JSON object",
  );
});

Deno.test("any bytes and any JSON value are read as a datagram or refused, never thrown at", () => {
  const fields = fc.record({
    type: fc.oneof(fc.constantFrom("announce", "goodbye"), fc.jsonValue()),
    nickname: fc.oneof(nicknames, fc.jsonValue()),
    tcp_port: fc.oneof(fc.integer({ min: -1, max: 65537 }), fc.jsonValue()),
    version: fc.oneof(fc.integer({ min: -1, max: 65537 }), fc.jsonValue()),
    instance: fc.oneof(instances, fc.jsonValue()),
    ask: fc.oneof(fc.boolean(), fc.jsonValue()),
    id: fc.oneof(peerIds, fc.jsonValue()),
  }, { requiredKeys: ["type", "nickname"] });
  const input = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.jsonValue().map((value) => encoder.encode(JSON.stringify(value))),
    fields.map((value) => encoder.encode(JSON.stringify(value))),
  );
  fc.assert(
    fc.property(input, (bytes) => {
      const decoded = decodeDatagram(bytes);
      if (!decoded.ok) return assert.match(decoded.cause, /^(datagram|announce) [a-zA-Z0-9- ]+$/);
      const { value } = decoded;
      assert.ok(isNickname(value.nickname));
      assert.ok(value.instance === undefined || isInstance(value.instance));
      assert.ok(value.id === undefined || isPeerId(value.id));
      if (value.type === "announce") {
        assert.ok(isPort(value.tcpPort) && isVersion(value.version));
        assert.equal(typeof value.ask, "boolean");
      }
    }),
    { numRuns: 1000 },
  );
});
