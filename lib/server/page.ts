import type { ServerStats } from "./core.ts";

const PAGE = `This is a Parlance bootstrap server.

Parlance clients find each other here: they register over a WebSocket at this address
and ask for the list of peers. Messages go directly from peer to peer, never through here.

To use it:  parlance --mode internet --bootstrap-server <the ws:// or wss:// form of this address>
Health:     GET /healthz
`;

const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** What a request gets that does not ask for a WebSocket. */
export function answerPlainHttp(method: string, path: string, stats: () => ServerStats): Response {
  if (method !== "GET" && method !== "HEAD") {
    return textResponse(405, "Only GET and HEAD are answered here\n", method, {
      allow: "GET, HEAD",
    });
  }
  if (path === "/healthz") {
    const { peers, connections } = stats();
    const body = `${JSON.stringify({ status: "ok", peers, connections })}\n`;
    return textResponse(200, body, method, { "content-type": "application/json" });
  }
  return textResponse(path === "/" ? 200 : 404, PAGE, method);
}

/** A short text; without its body for `HEAD`. */
export function textResponse(
  status: number,
  text: string,
  method: string,
  headers: Record<string, string> = {},
): Response {
  return new Response(method === "HEAD" ? null : text, {
    status,
    headers: {
      ...HEADERS,
      "content-type": "text/plain; charset=utf-8",
      "content-length": `${new TextEncoder().encode(text).length}`,
      ...headers,
    },
  });
}
