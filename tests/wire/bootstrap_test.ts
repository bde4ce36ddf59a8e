import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ClientMessage,
  decodeClientFrame,
  decodeServerFrame,
  encodeFrame,
  type ListedPeer,
  type ServerMessage,
} from "../../lib/wire/bootstrap.ts";
import type { Decoded } from "../../lib/wire/decoded.ts";
import { isNickname } from "../../lib/wire/nickname.ts";
import { formatPeerId } from "../../lib/wire/peer_id.ts";
import { peerIds, unicode } from "./arbitraries.ts";

function value<T>(decoded: Decoded<T>): T {
  assert.ok(decoded.ok, decoded.ok ? "" : decoded.cause);
  return decoded.value;
}

function cause(decoded: Decoded<unknown>): string {
  assert.equal(decoded.ok, false, "the frame was accepted");
  return decoded.ok ? "" : decoded.cause;
}

/** What JSON leaves of a value: no fields that are undefined. */
const plain = (it: unknown) => JSON.parse(JSON.stringify(it));

const instance = "0123456789abcdef";
const id = formatPeerId(new Uint8Array(32).fill(7));
const peer: ListedPeer = {
  peer_id: "6fa459ea-ee8a-4ca4-894e-db77e160355e",
  nickname: "alice",
  public_addr: "203.0.113.7:54321",
  local_addr: "0.0.0.0:54321",
  last_seen: 1699123456,
};

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const versions = optional(fc.integer({ min: 1, max: 65535 }));
const instances = optional(fc.constantFrom(instance, "f".repeat(16)));
const ids = optional(peerIds);
const nicknames = unicode(8).filter(isNickname);
const peers = fc.record({
  peer_id: fc.uuid({ version: 4 }),
  nickname: nicknames,
  public_addr: unicode(20),
  local_addr: unicode(20),
  last_seen: fc.integer({ min: 0, max: 253402300799 }),
  version: versions,
  instance: instances,
  id: ids,
});

Deno.test("frames are written byte for byte as in the protocol", () => {
  const frames: [ClientMessage | ServerMessage, string][] = [
    [
      { type: "register", nickname: "alice", local_addr: "0.0.0.0:54321" },
      '{"type":"register","nickname":"alice","local_addr":"0.0.0.0:54321"}',
    ],
    [
      { type: "register", nickname: "a", local_addr: "0.0.0.0:1", version: 2, instance, id },
      '{"type":"register","nickname":"a","local_addr":"0.0.0.0:1","version":2,' +
      `"instance":"0123456789abcdef","id":"${id}"}`,
    ],
    [{ type: "list_peers" }, '{"type":"list_peers"}'],
    [{ type: "heartbeat" }, '{"type":"heartbeat"}'],
    [{ type: "unregister" }, '{"type":"unregister"}'],
    [
      { type: "registered", peer_id: peer.peer_id, public_addr: peer.public_addr },
      '{"type":"registered","peer_id":"6fa459ea-ee8a-4ca4-894e-db77e160355e",' +
      '"public_addr":"203.0.113.7:54321"}',
    ],
    [
      { type: "peer_list", peers: [{ ...peer, version: undefined, instance: undefined }] },
      '{"type":"peer_list","peers":[{"peer_id":"6fa459ea-ee8a-4ca4-894e-db77e160355e",' +
      '"nickname":"alice","public_addr":"203.0.113.7:54321","local_addr":"0.0.0.0:54321",' +
      '"last_seen":1699123456}]}',
    ],
    [{ type: "error", message: "Not registered" }, '{"type":"error","message":"Not registered"}'],
  ];
  for (const [message, frame] of frames) assert.equal(encodeFrame(message), frame);
});

Deno.test("a client's frame that was written is read as it was", () => {
  const messages = fc.oneof(
    fc.record({
      type: fc.constant("register" as const),
      nickname: unicode(40),
      local_addr: unicode(40),
      version: versions,
      instance: instances,
      id: ids,
    }),
    fc.record({ type: fc.constantFrom("list_peers", "heartbeat", "unregister") }),
  ) as fc.Arbitrary<ClientMessage>;
  fc.assert(fc.property(messages, (message) => {
    assert.deepEqual(plain(value(decodeClientFrame(encodeFrame(message)))), plain(message));
  }));
});

Deno.test("a server's frame that was written is read as it was", () => {
  const messages: fc.Arbitrary<ServerMessage> = fc.oneof(
    fc.record({
      type: fc.constant("registered" as const),
      peer_id: fc.uuid(),
      public_addr: unicode(40),
    }),
    fc.record({ type: fc.constant("peer_list" as const), peers: fc.array(peers) }),
    fc.record({ type: fc.constant("error" as const), message: unicode(40) }),
  );
  fc.assert(fc.property(messages, (message) => {
    const { message: read, skipped } = value(decodeServerFrame(encodeFrame(message), 1000));
    assert.deepEqual(plain(read), plain(message));
    assert.equal(skipped, 0);
  }));
});

Deno.test("a client's frame that is not valid is refused with what is wrong with it", () => {
  const refusal = (frame: unknown) => cause(decodeClientFrame(JSON.stringify(frame)));
  const register = { type: "register", nickname: "a", local_addr: "0.0.0.0:1" };
  assert.equal(cause(decodeClientFrame("")), "not a JSON object");
  assert.equal(cause(decodeClientFrame("{x}")), "not JSON");
  assert.equal(refusal([register]), "not a JSON object");
  assert.equal(refusal({}), '"type" is missing');
  for (const type of [null, 1, "Register", "registered", "__proto__", "constructor"]) {
    assert.equal(refusal({ type }), '"type" must be register, list_peers, heartbeat or unregister');
  }
  for (const wrong of [undefined, null, 1, {}, ["a"]]) {
    assert.equal(refusal({ ...register, nickname: wrong }), '"nickname" must be a string');
    assert.equal(refusal({ ...register, local_addr: wrong }), '"local_addr" must be a string');
  }
  assert.equal(
    refusal({ ...register, version: "2" }),
    '"version" must be an integer from 1 to 65535',
  );
  assert.equal(
    refusal({ ...register, instance: "x" }),
    '"instance" must be 16 lower-case hexadecimal digits',
  );
  for (const wrong of [null, 1, "", id.toLowerCase(), id.replaceAll("-", ""), `${id} `]) {
    assert.equal(
      refusal({ ...register, id: wrong }),
      '"id" must be a peer id in its canonical form',
    );
  }
});

Deno.test("a client's frame may have unknown fields", () => {
  assert.deepEqual(value(decodeClientFrame('{"x":[1],"type":"heartbeat","nickname":3}')), {
    type: "heartbeat",
  });
});

Deno.test("a server's frame that is not valid is refused with what is wrong with it", () => {
  const refusal = (frame: unknown) => cause(decodeServerFrame(JSON.stringify(frame), 10));
  assert.equal(cause(decodeServerFrame("{x}", 10)), "frame is not JSON");
  assert.equal(refusal([]), "frame is not a JSON object");
  assert.equal(refusal({ type: "pong" }), "frame of an unknown type");
  assert.equal(refusal({}), "frame of an unknown type");
  const registered = { type: "registered", peer_id: "1", public_addr: "2" };
  for (const wrong of [undefined, null, 1]) {
    const expected = "registered without peer_id and public_addr";
    assert.equal(refusal({ ...registered, peer_id: wrong }), expected);
    assert.equal(refusal({ ...registered, public_addr: wrong }), expected);
    assert.equal(refusal({ type: "error", message: wrong }), "error without a message");
  }
  for (const wrong of [undefined, null, 1, {}, "x", { length: 1 }]) {
    assert.equal(refusal({ type: "peer_list", peers: wrong }), "peer_list without peers");
  }
});

Deno.test("entries of a peer list that are no peers are left out and counted", () => {
  const wrong: unknown[] = [
    null,
    1,
    "x",
    [],
    {},
    { ...peer, peer_id: 1 },
    { ...peer, nickname: "a\nb" },
    { ...peer, nickname: "x".repeat(33) },
    { ...peer, public_addr: null },
    { ...peer, local_addr: undefined },
    { ...peer, last_seen: "1" },
    { ...peer, last_seen: -1 },
    { ...peer, last_seen: 1.5 },
    { ...peer, last_seen: 1e300 },
    { ...peer, version: 0 },
    { ...peer, instance: "x" },
    { ...peer, id: null },
    { ...peer, id: id.toLowerCase() },
    { ...peer, id: id.replace(/^./, (first) => first === "A" ? "B" : "A") },
  ];
  for (const entry of wrong) {
    const frame = JSON.stringify({ type: "peer_list", peers: [entry, peer, entry] });
    const { message, skipped } = value(decodeServerFrame(frame, 10));
    assert.deepEqual(plain(message), { type: "peer_list", peers: [peer] }, JSON.stringify(entry));
    assert.equal(skipped, 2);
  }
});

Deno.test("entries of a peer list above the limit are left out and counted", () => {
  const list = Array.from({ length: 5 }, (_, at) => ({ ...peer, peer_id: String(at) }));
  const frame = JSON.stringify({ type: "peer_list", peers: list });
  for (const [most, kept] of [[0, 0], [3, 3], [5, 5], [6, 5]]) {
    const { message, skipped } = value(decodeServerFrame(frame, most));
    assert.deepEqual(plain(message), { type: "peer_list", peers: list.slice(0, kept) });
    assert.equal(skipped, 5 - kept);
  }
});

Deno.test("a listed peer keeps its known fields only", () => {
  const extended = { ...peer, version: 2, instance, id, padding: "x".repeat(1000), more: [[[1]]] };
  const frame = JSON.stringify({ type: "peer_list", peers: [extended] });
  assert.deepEqual(value(decodeServerFrame(frame, 10)).message, {
    type: "peer_list",
    peers: [{ ...peer, version: 2, instance, id }],
  });
});

Deno.test("any text and any JSON value is read as a frame or refused, never thrown at", () => {
  const fields = fc.record({
    type: fc.constantFrom("register", "registered", "list_peers", "peer_list", "error", "?"),
    nickname: fc.jsonValue(),
    local_addr: fc.jsonValue(),
    peer_id: fc.jsonValue(),
    public_addr: fc.jsonValue(),
    message: fc.jsonValue(),
    peers: fc.oneof(fc.jsonValue(), fc.array(fc.oneof(peers, fc.jsonValue()))),
    version: fc.jsonValue(),
    instance: fc.jsonValue(),
    id: fc.jsonValue(),
  }, { requiredKeys: ["type"] });
  const input = fc.oneof(
    unicode(60),
    fc.jsonValue().map((it) => JSON.stringify(it)),
    fields.map((it) => JSON.stringify(it)),
  );
  fc.assert(
    fc.property(input, fc.nat({ max: 5 }), (text, most) => {
      const client = decodeClientFrame(text);
      if (!client.ok) assert.match(client.cause, /^[a-zA-Z0-9_",\- ]+$/);
      const server = decodeServerFrame(text, most);
      if (!server.ok) return assert.match(server.cause, /^[a-zA-Z_ ]+$/);
      const { message } = server.value;
      if (message.type === "peer_list") assert.ok(message.peers.length <= most);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("deeply nested JSON of 1 MiB is refused as a frame without a crash", () => {
  for (const opening of ["[", '{"a":', '{"type":"peer_list","peers":[']) {
    const text = opening.repeat(Math.floor(1024 * 1024 / opening.length));
    assert.equal(cause(decodeClientFrame(text)), "not a JSON object");
    assert.equal(cause(decodeServerFrame(`{"a":${text}}`, 10)), "frame is not JSON");
  }
  const nested = `{"type":"peer_list","peers":[${"[".repeat(500_000)}${"]".repeat(500_000)}]}`;
  assert.equal(value(decodeServerFrame(nested, 10)).skipped, 1);
});
