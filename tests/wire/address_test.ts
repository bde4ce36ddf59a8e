import assert from "node:assert/strict";
import net from "node:net";
import fc from "fast-check";
import { formatAddress, isIpv4, isIpv6, isPort, parseAddress } from "../../lib/wire/address.ts";
import { unicode } from "./arbitraries.ts";

const ports = fc.integer({ min: 0, max: 65535 });

Deno.test("an address that was written is read as it was", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), ports, (hostname, port) => {
      assert.deepEqual(parseAddress(formatAddress({ hostname, port })), { hostname, port });
    }),
    { numRuns: 500 },
  );
  assert.equal(formatAddress({ hostname: "::1", port: 80 }), "[::1]:80");
  assert.equal(formatAddress({ hostname: "127.0.0.1", port: 80 }), "127.0.0.1:80");
});

Deno.test("IP addresses are told from other text as the platform tells them", () => {
  const almost = fc.oneof(
    fc.ipV4(),
    fc.ipV4Extended(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom("0", "1", "f", "9", "25", "::", ":", ".", "1.2.3.4") }),
    fc.tuple(fc.ipV6(), fc.nat({ max: 40 }), fc.constantFrom("", ":", "::", ".", "0", "%1", "g"))
      .map(([text, at, put]) => text.slice(0, at) + put + text.slice(at + 1)),
    fc.string(),
  );
  fc.assert(
    fc.property(almost, (text) => {
      assert.equal(isIpv4(text), net.isIPv4(text), text);
      // A zone belongs to one machine: it is no part of an address here.
      assert.equal(isIpv6(text), net.isIPv6(text) && !text.includes("%"), text);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("what is not an IP address with a port is not read", () => {
  const bad = [
    "",
    ":",
    "1.2.3.4",
    "1.2.3.4:",
    ":80",
    "1.2.3.4:-1",
    "1.2.3.4:+80",
    "1.2.3.4: 80",
    "1.2.3.4:65536",
    "1.2.3.4:100000",
    "1.2.3.4:0x50",
    "1.2.3.4:80\n",
    " 1.2.3.4:80",
    "1.2.3:80",
    "1.2.3.256:80",
    "1.2.3.04:80",
    "1.2.3.4.5:80",
    "localhost:80",
    "example.com:80",
    "::1:80",
    "[::1]",
    "[::1]:",
    "[::1]80",
    "[::1]:65536",
    "[fe80::1%eth0]:80",
    "[1.2.3.4]:80",
    "[:::]:80",
    "[1:2:3:4:5:6:7:8:9]:80",
    "[::g]:80",
    "[::1]@x:80",
    "１.2.3.4:80",
    "1.2.3.4:８０",
  ];
  for (const text of bad) assert.equal(parseAddress(text), undefined, JSON.stringify(text));
});

Deno.test("addresses at the edges of what is allowed are read", () => {
  const good = ["0.0.0.0:0", "255.255.255.255:65535", "[::]:0", "[::ffff:1.2.3.4]:65535"];
  for (const text of good) assert.equal(formatAddress(parseAddress(text)!), text);
});

Deno.test("any text is read as an address or not, never thrown at", () => {
  fc.assert(fc.property(unicode(60), (text) => {
    const address = parseAddress(text);
    if (address !== undefined) assert.ok(net.isIP(address.hostname) !== 0);
  }));
});

Deno.test("a port is a whole number from 1 to 65535", () => {
  for (const port of [1, 80, 65535]) assert.equal(isPort(port), true);
  for (const value of [0, -1, 65536, 70000, 1.5, NaN, Infinity, "80", null, undefined, {}, [80]]) {
    assert.equal(isPort(value), false, String(value));
  }
});
