// gRPC-web on one side, the node's socket on the other: what a proxy does between a browser and a node.
//
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md

import http from "node:http";
import http2 from "node:http2";
import net from "node:net";

/** A frame: its kind (0 a message, 0x80 trailers), its length, its bytes. */
const frame = (kind, bytes) => {
  const head = Buffer.alloc(5);
  head[0] = kind;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};

/** Serves the node of a socket on a free port of loopback; gives the address and how to stop. */
export async function serve(socket) {
  const node = http2.connect("http://localhost", { createConnection: () => net.connect(socket) });
  const server = http.createServer((request, response) => {
    const text = request.headers["content-type"].startsWith("application/grpc-web-text");
    const write = (bytes) => response.write(text ? bytes.toString("base64") : bytes);
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const sent = Buffer.concat(chunks);
      const call = node.request({
        ":method": "POST",
        ":path": request.url,
        te: "trailers",
        "content-type": "application/grpc",
      });
      let trailers = {};
      call.on("response", (headers) => {
        // A call that fails at once has everything in its headers.
        if ("grpc-status" in headers) trailers = headers;
        response.writeHead(200, { "content-type": request.headers["content-type"] });
      });
      call.on("trailers", (headers) => (trailers = headers));
      call.on("data", write);
      call.on("error", (error) => (trailers = { "grpc-status": 14, "grpc-message": error.message }));
      call.on("close", () => {
        const names = ["grpc-status", "grpc-message", "grpc-status-details-bin"].filter((name) => name in trailers);
        write(frame(0x80, Buffer.from(names.map((name) => `${name}: ${trailers[name]}\r\n`).join(""))));
        response.end();
      });
      // Who goes away ends the call.
      response.on("close", () => call.close());
      call.end(text ? Buffer.from(sent.toString(), "base64") : sent);
    });
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const stop = () => {
    server.closeAllConnections();
    server.close();
    node.destroy();
  };
  return { address: `http://127.0.0.1:${server.address().port}`, stop };
}
